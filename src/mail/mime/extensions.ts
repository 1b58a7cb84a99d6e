/**
 * Extensions that Windows runs when the file is opened, directly or through a program that every Windows has: PATHEXT,
 * what Outlook 2021 blocks ("Blocked attachments in Outlook"), and disk images, which hide where a file comes from.
 * Lower case, without the dot.
 */
export const EXECUTABLE_EXTENSIONS: ReadonlySet<string> = new Set(
  (
    'ade adp appcontent-ms application appref-ms appx appxbundle asp aspx asx bas bat bgi cab cer chm cmd cnt com ' +
    'cpl crt csh der diagcab dll exe fxp gadget grp hlp hpj hta htc img inf ins iso isp its jar jnlp js jse ksh lnk ' +
    'mad maf mag mam maq mar mas mat mau mav maw mcf mda mdb mde mdt mdw mdz mht mhtml msc msh msh1 msh1xml msh2 ' +
    'msh2xml mshxml msi msix msixbundle msp mst msu ocx one ops osd pcd pif pl plg prf prg printerexport ps1 ps1xml ' +
    'ps2 ps2xml psc1 psc2 psd1 psdm1 pst pyc pyo pyw pyz pyzw reg scf scr sct search-ms settingcontent-ms shb shs ' +
    'sys theme tmp udl url vb vbe vbp vbs vhd vhdx vsmacros vsw vxd webpnp website wim ws wsb wsc wsf wsh xbap xll xnk'
  ).split(' '),
);

/**
 * The part of them that makes a double extension suspicious: what runs at once. `invoice.pdf.url` is no less odd than
 * `invoice.pdf.exe`; `data.csv.tmp` is daily life.
 */
export const RUN_EXTENSIONS: ReadonlySet<string> = new Set(
  (
    'appref-ms application bat chm cmd com cpl dll exe gadget hta jar jnlp js jse lnk msc msi msix msp mst ocx pif ' +
    'ps1 pyw reg scf scr sct settingcontent-ms shb shs sys url vb vbe vbs vxd website ws wsc wsf wsh xll'
  ).split(' '),
);

/** Extensions of what people look at, and of the archives they send it in. Lower case, without the dot. */
export const HARMLESS_EXTENSIONS: ReadonlySet<string> = new Set(
  (
    '7z aac asc avi avif bmp bz2 csv doc docm docx dot dotx eml emf eps epub flac gif gz heic heif htm html hwp hwpx ' +
    'ico ics jfif jpe jpeg jpg json key log m4a m4v markdown md mkv mov mp3 mp4 mpeg mpg msg numbers odp ods odt ogg ' +
    'pages pdf png pot potx pps ppsx ppt pptm pptx ps psd pub rar rtf svg tar tex tgz tif tiff txt vcf vsd vsdx wav ' +
    'webm webp wma wmf wmv wpd wps xls xlsb xlsm xlsx xlt xltx xml xps xz zip'
  ).split(' '),
);
