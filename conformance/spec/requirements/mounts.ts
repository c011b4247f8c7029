/** The mounts of config.md of runtime-spec 1.3.0. */

import { inFile, section } from '../requirement.ts';

const mounts = inFile('test/mounts.test.ts');
const destinations = inFile('test/destinations.test.ts');
const checks = inFile('src/spec/checks/checks.test.ts');
const suite = inFile('conformance/spec/mounts.test.ts');

const attributes = mounts('attributes of file systems and of binds');
const superblock = mounts('nosymfollow, and flags of the file system');
const recursive = mounts('recursive attributes reach what is mounted below, plain ones do not');
const propagation = mounts('propagation of each mount');
const binds = mounts('binds of folders, files, devices and sockets, relative to the bundle');
const opposites = suite('options that undo others: the last one counts');
const idmapped = suite(
  'idmap maps the owners of one mount, ridmap those below too, by the mount’s own mappings',
);
const remount = suite('remount changes the options of a mount that is there');

/** Options that runtimes MUST have, and where each is seen at work. */
const OPTIONS: Readonly<Record<string, string>> = {
  async: superblock,
  atime: opposites,
  bind: binds,
  defaults: attributes,
  dev: attributes,
  diratime: attributes,
  dirsync: superblock,
  exec: attributes,
  iversion: suite('options of file systems that can’t be seen are accepted'),
  lazytime: superblock,
  loud: superblock,
  noatime: attributes,
  nodev: attributes,
  nodiratime: attributes,
  noexec: attributes,
  noiversion: superblock,
  nolazytime: superblock,
  norelatime: opposites,
  nostrictatime: opposites,
  nosuid: attributes,
  private: propagation,
  rbind: recursive,
  relatime: attributes,
  remount,
  ro: attributes,
  rprivate: propagation,
  rshared: propagation,
  rslave: propagation,
  runbindable: propagation,
  rw: attributes,
  shared: propagation,
  silent: superblock,
  slave: propagation,
  strictatime: attributes,
  suid: attributes,
  sync: superblock,
  unbindable: propagation,
};

/** Options that runtimes SHOULD have. */
const RECOMMENDED: Readonly<Record<string, string>> = {
  nosymfollow: superblock,
  symfollow: opposites,
  ratime: suite('recursive options that undo others'),
  rdev: suite('recursive options that undo others'),
  rdiratime: suite('recursive options that undo others'),
  rexec: suite('recursive options that undo others'),
  rnoatime: recursive,
  rnodiratime: recursive,
  rnoexec: recursive,
  rnorelatime: suite('recursive options that undo others'),
  rnostrictatime: suite('recursive options that undo others'),
  rnosuid: recursive,
  rnosymfollow: recursive,
  rrelatime: suite('recursive options that undo others'),
  rro: recursive,
  rrw: suite('recursive options that undo others'),
  rstrictatime: recursive,
  rsuid: suite('recursive options that undo others'),
  rsymfollow: suite('recursive options that undo others'),
};

export const MOUNTS = [
  ...section('config.md, Mounts', (add) => {
    add('MUST', 'mounts are made in order', mounts('mounts are made in order'));
    add(
      'SHOULD',
      'a destination is absolute',
      destinations('destinations are made, and written in many ways'),
    );
    add(
      'MUST',
      'a relative destination is relative to /',
      destinations('destinations are made, and written in many ways'),
    );
  }),
  ...section('config.md, Linux mount options', (add) => {
    for (const [name, test] of Object.entries(OPTIONS)) add('MUST', `the option ${name}`, test);
    for (const [name, test] of Object.entries(RECOMMENDED)) add('SHOULD', `the option ${name}`, test);
    for (const name of ['idmap', 'ridmap']) {
      add('SHOULD', `the option ${name}`, idmapped);
      add('MUST', `${name} applies an id mapping`, idmapped);
      add('SHOULD NOT', `${name} is not given to mount(2)`, idmapped);
      add('MUST', `${name} with mappings of its own uses these`, idmapped);
      add(
        'MUST',
        `${name} without any mapping, of its own or of a user namespace, is an error`,
        suite('idmap without any mapping is an error'),
      );
      add('SHOULD', `${name} is made by mount_setattr`, idmapped);
    }
    add('SHOULD', 'an option that mount(8) knows does what it does there', attributes);
    add('SHOULD', 'an unknown option goes to the file system', mounts('data options go to the file system'));
  }),
  ...section('config.md, POSIX-platform Mounts', (add) => {
    for (const name of ['uidMappings', 'gidMappings']) {
      add(
        'SHOULD',
        `${name} are made by mount_setattr`,
        idmapped,
        suite('a mapping without idmap maps all the same'),
      );
      add('SHOULD', `with ${name} the options have idmap or ridmap`, checks('id-mapped mounts'));
      add('MUST', `${name} come with the other ones`, checks('id-mapped mounts'));
    }
  }),
];
