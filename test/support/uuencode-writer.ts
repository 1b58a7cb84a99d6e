/** As uuencode(1) of POSIX.1-2017 writes it. */
export function uuencode(bytes: Buffer, name: string, zero = '`'): string {
  let text = `begin 644 ${name}\n`;
  const letter = (bits: number) => (bits === 0 ? zero : String.fromCharCode(0x20 + bits));
  for (let at = 0; at < bytes.length; at += 45) {
    const line = bytes.subarray(at, at + 45);
    text += letter(line.length);
    for (let i = 0; i < line.length; i += 3) {
      const bits = ((line[i] ?? 0) << 16) | ((line[i + 1] ?? 0) << 8) | (line[i + 2] ?? 0);
      text += [18, 12, 6, 0].map(shift => letter((bits >> shift) & 63)).join('');
    }
    text += '\n';
  }
  return `${text}${zero}\nend\n`;
}
