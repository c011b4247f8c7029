/** files.ts does what node:fs does. */
import assert from 'node:assert/strict';
import * as node from 'node:fs';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ours from './files.ts';

type Files = typeof ours;

/** A folder with a file, a folder, links and a file that is not ASCII. */
function sample(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'runts-files-'));
  files.writeFileSync(`${folder}/file`, 'content\n', { mode: 0o640 });
  files.writeFileSync(`${folder}/grün`, '\ufeff日本語');
  files.mkdirSync(`${folder}/sub`, 0o750);
  files.mkdirSync(`${folder}/sub/below`);
  symlinkSync('file', `${folder}/link`);
  symlinkSync('nowhere', `${folder}/dangling`);
  return folder;
}

/** What a call gives or throws, with the folder's own name taken out. */
function outcome(folder: string, body: () => unknown): unknown {
  try {
    const value = body();
    return typeof value === 'string' ? value.replace(folder, 'FOLDER') : value;
  } catch (error) {
    assert.ok(error instanceof Error);
    const { code, syscall, path, dest, errno } = error as NodeJS.ErrnoException & { dest?: string };
    return {
      code,
      syscall,
      errno,
      path: path?.replace(folder, 'FOLDER'),
      dest: dest?.replace(folder, 'FOLDER'),
    };
  }
}

const { O_RDONLY, O_WRONLY, O_DIRECTORY, O_NOFOLLOW, O_CREAT, O_EXCL, O_APPEND } = ours.constants;

/** Each is carried out in a sample of its own, by either implementation. */
const CALLS: Record<string, (fs: Files, folder: string) => unknown> = {
  'read text': (fs, folder) => fs.readFileSync(`${folder}/file`, 'utf8'),
  'read what is not ASCII': (fs, folder) => fs.readFileSync(`${folder}/grün`, 'utf8'),
  'read bytes': (fs, folder) => [...fs.readFileSync(`${folder}/file`)],
  'read a missing file': (fs, folder) => fs.readFileSync(`${folder}/none`, 'utf8'),
  'read below a file': (fs, folder) => fs.readFileSync(`${folder}/file/x`, 'utf8'),
  'read a file of the kernel': (fs) => fs.readFileSync('/proc/self/status', 'latin1').startsWith('Name:'),
  'read much': (fs, folder) => {
    fs.writeFileSync(`${folder}/much`, 'x'.repeat(300_000));
    return fs.readFileSync(`${folder}/much`, 'utf8').length;
  },
  'read a descriptor': (fs, folder) => {
    const fd = fs.openSync(`${folder}/file`, O_RDONLY);
    const bytes = new Uint8Array(new ArrayBuffer(10));
    const length = fs.readSync(fd, bytes, 2, 4, null);
    const rest = fs.readFileSync(fd, 'utf8');
    fs.closeSync(fd);
    return [length, [...bytes], rest];
  },
  'open a symlink without following': (fs, folder) => fs.openSync(`${folder}/link`, O_RDONLY | O_NOFOLLOW),
  'open a file as a folder': (fs, folder) => fs.openSync(`${folder}/file`, O_RDONLY | O_DIRECTORY),
  'create what is there': (fs, folder) => fs.openSync(`${folder}/file`, O_WRONLY | O_CREAT | O_EXCL),
  append: (fs, folder) => {
    const fd = fs.openSync(`${folder}/file`, O_WRONLY | O_APPEND);
    const written = [fs.writeSync(fd, 'grün'), fs.writeSync(fd, new Uint8Array([33]))];
    fs.closeSync(fd);
    return [written, fs.readFileSync(`${folder}/file`, 'utf8')];
  },
  'write to a closed descriptor': (fs) => fs.writeSync(999, 'x'),
  'close a closed descriptor': (fs) => fs.closeSync(999),
  'write anew': (fs, folder) => {
    fs.writeFileSync(`${folder}/file`, 'x');
    return fs.readFileSync(`${folder}/file`, 'utf8');
  },
  'write what must not be there': (fs, folder) => fs.writeFileSync(`${folder}/file`, 'x', { flag: 'wx' }),
  'write into no folder': (fs, folder) => fs.writeFileSync(`${folder}/none/file`, 'x'),
  'make a folder twice': (fs, folder) => fs.mkdirSync(`${folder}/sub`),
  'remove a folder': (fs, folder) => [
    fs.rmdirSync(`${folder}/sub/below`),
    fs.existsSync(`${folder}/sub/below`),
  ],
  'remove a folder that is not empty': (fs, folder) => fs.rmdirSync(`${folder}/sub`),
  'remove a file as a folder': (fs, folder) => fs.rmdirSync(`${folder}/file`),
  'remove a file': (fs, folder) => [fs.unlinkSync(`${folder}/file`), fs.existsSync(`${folder}/file`)],
  'remove a missing file': (fs, folder) => fs.unlinkSync(`${folder}/none`),
  'remove all': (fs, folder) => {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.rmSync(folder, { recursive: true, force: true });
    return fs.existsSync(folder);
  },
  rename: (fs, folder) => [fs.renameSync(`${folder}/file`, `${folder}/grün`), fs.readdirSync(folder).sort()],
  'rename what is missing': (fs, folder) => fs.renameSync(`${folder}/none`, `${folder}/other`),
  list: (fs, folder) => fs.readdirSync(folder).sort(),
  'list with types': (fs, folder) =>
    fs
      .readdirSync(folder, { withFileTypes: true })
      .map((entry) => [entry.name, entry.isDirectory()])
      .sort(),
  'list a file': (fs, folder) => fs.readdirSync(`${folder}/file`),
  'list what is missing': (fs, folder) => fs.readdirSync(`${folder}/none`),
  'list many': (fs, folder) => {
    for (let i = 0; i < 3000; i++) fs.writeFileSync(`${folder}/sub/a-rather-long-name-${i}`, '');
    return fs.readdirSync(`${folder}/sub`).length;
  },
  'a link’s target': (fs, folder) => fs.readlinkSync(`${folder}/link`),
  'the target of no link': (fs, folder) => fs.readlinkSync(`${folder}/file`),
  'a real path': (fs, folder) => fs.realpathSync(`${folder}/sub/../link`),
  permissions: (fs, folder) => {
    fs.chmodSync(`${folder}/file`, 0o1700);
    return fs.statSync(`${folder}/file`).mode.toString(8);
  },
  access: (fs, folder) => [fs.accessSync(`${folder}/file`), fs.accessSync(folder, ours.constants.W_OK)],
  'access to what is missing': (fs, folder) => fs.accessSync(`${folder}/none`),
  existence: (fs, folder) =>
    ['file', 'none', 'dangling', 'a\0b'].map((name) => fs.existsSync(`${folder}/${name}`)),
  'status of what may be missing': (fs, folder) =>
    ['none', 'file/x'].map((name) => fs.statSync(`${folder}/${name}`, { throwIfNoEntry: false })),
  'status of what is missing': (fs, folder) => fs.statSync(`${folder}/none`),
  'kind of a file system': (fs) => fs.statfsSync('/proc').type,
};

for (const [name, call] of Object.entries(CALLS)) {
  test(name, (t) => {
    const [expected, actual] = [node as unknown as Files, ours].map((files) => {
      const folder = sample(files);
      t.after(() => node.rmSync(folder, { recursive: true, force: true }));
      return outcome(folder, () => call(files, folder));
    });
    assert.deepEqual(actual, expected);
  });
}

test('status: kind, size, inode and device numbers', (t) => {
  const folder = sample(ours);
  t.after(() => node.rmSync(folder, { recursive: true, force: true }));
  const fd = ours.openSync(`${folder}/file`, O_RDONLY);
  t.after(() => ours.closeSync(fd));
  const pairs = [
    ...['/dev/null', '/proc/self/stat', folder, `${folder}/link`].map((path) => [
      ours.statSync(path),
      node.statSync(path),
    ]),
    [ours.lstatSync(`${folder}/dangling`), node.lstatSync(`${folder}/dangling`)],
    [ours.fstatSync(fd), node.fstatSync(fd)],
  ] as [ours.Stats, node.Stats][];
  for (const [actual, expected] of pairs) {
    for (const field of ['mode', 'size', 'rdev', 'dev'] as const)
      assert.equal(actual[field], expected[field], field);
    for (const is of ['isFile', 'isDirectory', 'isSymbolicLink', 'isCharacterDevice', 'isFIFO'] as const)
      assert.equal(actual[is](), expected[is](), is);
  }
  assert.equal(ours.fstatSync(fd).ino, node.fstatSync(fd).ino);
});

test('descriptors are close-on-exec', () => {
  const fd = ours.openSync('/', O_RDONLY);
  assert.match(ours.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'), /^flags:\s+0?2\d{6}$/m);
  ours.closeSync(fd);
});
