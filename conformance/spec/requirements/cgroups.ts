/** The control groups and resctrl of config-linux.md of runtime-spec 1.3.0. */

import { AUTHOR, inFile, section, V1 } from '../requirement.ts';

const create = inFile('src/cgroup/create.test.ts');
const path = inFile('src/cgroup/path.test.ts');
const controllers = inFile('src/cgroup/controllers/controllers.test.ts');
const apply = inFile('src/cgroup/apply.test.ts');
const devices = inFile('src/cgroup/devices/devices.test.ts');
const resctrl = inFile('src/linux/resctrl.test.ts');
const suite = inFile('conformance/spec/cgroups.test.ts');
const checks = inFile('src/spec/checks/checks.test.ts');
const refuses = inFile('src/spec/validate.test.ts')('refuses * = *');

export const CGROUPS = [
  ...section('config-linux.md, Control groups', (add) => {
    add(
      'MUST',
      'a cgroup that is found unfit is an error',
      create('a cgroup with processes in it or below it is refused'),
      create('a frozen cgroup is refused'),
    );
  }),
  ...section('config-linux.md, Cgroups Path', (add) => {
    add(
      'MUST',
      'cgroupsPath is an absolute or a relative path',
      path('a path that leaves its start, or names no cgroup of its own, is refused with the field'),
    );
    add('MUST', 'an absolute path begins at the mount point', path('* from * is *'));
    add('MUST', 'the same path is the same place', path('* from * is *'));
    add(
      'MUST',
      'a path that is invalid is an error',
      path('a path that leaves its start, or names no cgroup of its own, is refused with the field'),
    );
  }),
  ...section('config-linux.md, Cgroup ownership', (add, exempt) => {
    exempt('SHOULD NOT', 'cgroups of v1 keep their owner', V1);
    add(
      'SHOULD NOT',
      'without a new cgroup namespace the cgroup keeps its owner',
      suite('without a cgroup namespace of its own the cgroup keeps its owner'),
    );
    add(
      'SHOULD',
      'with a cgroup file system that can be written the cgroup gets a new owner',
      suite('a cgroup that the container may write is its user’s: the folder and the listed files, no other'),
    );
    add(
      'SHOULD NOT',
      'without one the cgroup keeps its owner',
      suite('a cgroup that the container can’t write keeps its owner'),
    );
    add(
      'SHOULD',
      'only the folder and the files that the kernel lists get a new owner',
      suite('a cgroup that the container may write is its user’s: the folder and the listed files, no other'),
    );
    add(
      'MUST NOT',
      'a listed file that a cgroup doesn’t have is no failure',
      suite('a cgroup that the container may write is its user’s: the folder and the listed files, no other'),
    );
    add(
      'SHOULD',
      'then the other listed files get their owner',
      suite('a cgroup that the container may write is its user’s: the folder and the listed files, no other'),
    );
    add(
      'MUST',
      'without the kernel’s list three files are taken',
      suite('where the kernel lists no files, three get a new owner'),
    );
    add(
      'SHOULD NOT',
      'no other file gets a new owner',
      suite('a cgroup that the container may write is its user’s: the folder and the listed files, no other'),
    );
  }),
  ...section('config-linux.md, Allowed Device list', (add) => {
    add('MUST', 'device rules apply in order', devices('programs decide as the rules say'));
  }),
  ...section('config-linux.md, Memory', (add) => {
    add(
      'MUST',
      'checkBeforeUpdate refuses a limit below what is used',
      inFile('src/cgroup/update.test.ts')(
        'a limit below what is used is rejected when the config asks for the check',
      ),
    );
  }),
  ...section('config-linux.md, CPU', (add) => {
    add('MUST', 'a positive quota is no smaller than burst', checks('cgroup limits'));
    add('MUST', 'burst is no larger than a positive quota', checks('cgroup limits'));
  }),
  ...section('config-linux.md, Block IO', (add) => {
    add('MUST', 'an entry of weightDevice has a weight or a leafWeight', checks('cgroup limits'));
  }),
  ...section('config-linux.md, PIDs', (add) => {
    add(
      'SHOULD',
      'a limit of 0 is a limit',
      controllers('pids: 0 is the least that lets init live, negative no limit'),
    );
  }),
  ...section('config-linux.md, RDMA', (add) => {
    add('MUST', 'an entry has hcaHandles or hcaObjects', checks('cgroup limits'));
  }),
  ...section('config-linux.md, Unified', (add) => {
    add(
      'MUST',
      'the controllers that are needed are enabled',
      apply('missing controllers are enabled from the top'),
    );
    add(
      'MUST',
      'files that the runtime doesn’t know are written',
      controllers('unified: last, line by line, and never what the runtime itself uses'),
    );
    add(
      'MUST',
      'a controller that is missing or can’t be enabled is an error',
      apply('a controller that the hierarchy does not have'),
      apply('a controller that can’t be enabled is an error only when it is needed'),
    );
    add(
      'MUST',
      'what v2 can’t express is an error',
      controllers('what only cgroup v1 has is refused, unless it asks for nothing'),
    );
  }),
  ...section('config-linux.md, IntelRdt', (add, exempt) => {
    add(
      'MUST',
      'the process is in tasks of the folder that closID names',
      resctrl('a class by name without schemas must be there, and stays'),
    );
    add('MUST', 'without resctrl it is an error', suite('intelRdt without a mounted resctrl is an error'));
    add(
      'MUST NOT',
      'without intelRdt resctrl is left alone',
      suite('without intelRdt resctrl is no part of the plan'),
    );
    add('MUST', 'closID "/" is the default class', resctrl('"/" is the default class'));
    exempt('SHOULD', 'l3CacheSchema begins with L3:', AUTHOR);
    exempt('SHOULD NOT', 'l3CacheSchema has no newline', AUTHOR);
    add('MUST', 'memBwSchema begins with MB:', refuses);
    add('MUST NOT', 'memBwSchema has no newline', refuses);
    add('MUST NOT', 'schemata has no newlines', refuses);
    add('MUST', 'the rules below are applied', resctrl('schemata is written last'));
    add(
      'MUST',
      'both schemas are written, l3CacheSchema first',
      resctrl('without closID: a class of the container’s own, named after it and removed with it'),
    );
    add(
      'MUST',
      'one schema is written',
      resctrl('without closID: a class of the container’s own, named after it and removed with it'),
    );
    add('MUST', 'schemata is written, last', resctrl('schemata is written last'));
    add(
      'MUST NOT',
      'without schemas no schemata file is written',
      resctrl('without any schema no schemata file is written'),
    );
    add(
      'MUST',
      'without closID the container’s id is the class',
      resctrl('without closID: a class of the container’s own, named after it and removed with it'),
    );
    add(
      'MUST',
      'a class that is missing is made when there are schemas',
      resctrl('a class by name that is missing is made with its schemas'),
    );
    add(
      'MUST',
      'a class that is there must have these schemas',
      resctrl('a class by name that is there must be as the config says'),
    );
    add(
      'MUST',
      'without schemas the class must be there',
      resctrl('a class by name without schemas must be there, and stays'),
    );
    add(
      'MUST',
      'then the container is put into it',
      resctrl('a class by name without schemas must be there, and stays'),
    );
    add(
      'MUST',
      'a class without closID is removed with its container',
      resctrl('without closID: a class of the container’s own, named after it and removed with it'),
    );
    add(
      'MUST NOT',
      'another class is not removed',
      resctrl('a class by name without schemas must be there, and stays'),
    );
    add(
      'MUST',
      'enableMonitoring makes a group of the container’s id',
      resctrl('monitoring: a group of its own, in the container’s class, whoever’s that is'),
    );
    add(
      'MUST',
      'that group is removed with the container',
      resctrl('monitoring: a group of its own, in the container’s class, whoever’s that is'),
    );
    add(
      'MUST',
      'a group that can’t be made is an error',
      resctrl('a refusal of the kernel is told with its reason'),
    );
  }),
];
