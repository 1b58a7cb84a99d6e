import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { DiskSpace } from '../../src/quarantine/disk-space.ts';
import { temporary } from './copies.ts';

test('says when there is not enough room, and when it cannot find out', async t => {
  const folder = temporary(t);
  writeFileSync(path.join(folder, 'file'), '');
  const cases: readonly [string, number, RegExp | null][] = [
    [folder, 1, null],
    [path.join(folder, 'not/yet/there'), 1, null],
    [folder, 1024 ** 4, /MiB free, `diskfree` asks for/],
    [path.join(folder, 'not/yet'), 1024 ** 4, /MiB free/],
    [path.join(folder, 'file/below'), 1, /cannot be found out \(ENOTDIR\)/],
    [path.join(folder, 'file/below'), 0, null],
  ];
  for (const [place, least, wanted] of cases) {
    const disk = new DiskSpace(
      () => [folder, place],
      () => least,
    );
    t.after(() => disk.close());
    await disk.look();
    if (wanted === null) assert.equal(disk.trouble, null, place);
    else assert.match(disk.trouble ?? '', wanted, place);
  }
});
