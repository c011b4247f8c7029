/** config.md of runtime-spec 1.3.0, but for mounts. */

import { AUTHOR, inFile, section } from '../requirement.ts';

const process = inFile('test/process.test.ts');
const rootfs = inFile('test/rootfs.test.ts');
const terminal = inFile('test/terminal.test.ts');
const hooks = inFile('test/hooks.test.ts');
const checks = inFile('src/spec/checks/checks.test.ts');
const validate = inFile('src/spec/validate.test.ts');
const suite = inFile('conformance/spec/config.test.ts');
const refuses = validate('refuses * = *');
const allPhases = hooks('*: hooks of all phases, in order, each with its state and its namespaces');

export const CONFIG = [
  ...section('config.md, Specification version', (add) => {
    add('MUST', 'ociVersion is a semantic version', checks('ociVersion: every 1.x'));
  }),
  ...section('config.md, Root', (add, exempt) => {
    exempt('SHOULD', 'root.path is "rootfs"', AUTHOR);
    add('MUST', 'root.path is a folder that exists', rootfs('a rootfs that is none'));
    add(
      'MUST',
      'root.readonly makes the root read-only',
      rootfs('a read-only root: nothing can be written but in the mounts that can'),
    );
  }),
  ...section('config.md, Process', (add) => {
    add(
      'MUST',
      'consoleSize is ignored without a terminal',
      checks('consoleSize is ignored without a terminal'),
    );
    add('MUST', 'cwd is absolute', process('a relative working directory is refused'));
  }),
  ...section('config.md, POSIX process', (add) => {
    add('MUST', 'a limit that the kernel doesn’t have is an error', refuses);
    add('MUST', 'getrlimit succeeds for each limit', process('every resource limit'));
    add('MUST', 'the soft limit is the config’s', process('every resource limit'));
    add('MUST', 'the hard limit is the config’s', process('every resource limit'));
    add('MUST', 'the same limit twice is an error', checks('limits'));
  }),
  ...section('config.md, Linux Process', (add, exempt) => {
    add(
      'MUST',
      'a capability that doesn’t exist or can’t be had is a warning',
      suite('a capability that nobody knows is a warning'),
    );
    add(
      'SHOULD NOT',
      'a capability that can’t be had is no failure',
      suite('a capability that nobody knows is a warning'),
    );
    add('MUST', 'oomScoreAdj is set', process('no_new_privs, the OOM score, and a session of its own'));
    add(
      'MUST NOT',
      'without oomScoreAdj the score stays',
      process('an OOM score that is not given is inherited'),
    );
    exempt(
      'SHOULD NOT',
      'without execCPUAffinity.final the affinity stays after the move into the cgroup',
      'runts resets it, as runc does and kernels before 6.2 did by themselves: a pinned caller would pin the container',
    );
  }),
  ...section('config.md, POSIX-platform Hooks', (add) => {
    add('MUST', 'a hook’s path is absolute', refuses);
    add('MUST', 'a hook’s timeout is greater than zero', refuses);
    add(
      'MUST',
      'a hook is ended after its timeout',
      inFile('src/hooks/run.test.ts')('are killed with their children after their timeout'),
      hooks('*: a hook is killed after its timeout'),
    );
    for (const phase of ['prestart', 'createRuntime', 'poststart', 'poststop']) {
      add('MUST', `the path of a ${phase} hook is the runtime’s`, allPhases);
      add('MUST', `${phase} hooks run in the runtime’s namespaces`, allPhases);
    }
    add('MUST', 'the path of a createContainer hook is the runtime’s', allPhases);
    add('MUST', 'createContainer hooks run in the container’s namespaces', allPhases);
    add(
      'MUST',
      'the path of a startContainer hook is the container’s',
      hooks("*: a startContainer hook is the image's, and has the environment of the command"),
    );
    add('MUST', 'startContainer hooks run in the container’s namespaces', allPhases);
    add(
      'MUST',
      'hooks get the state on their standard input',
      inFile('src/hooks/run.test.ts')('run in order, with the state on their standard input'),
      allPhases,
    );
    add(
      'MUST',
      'hooks run in the order of the config',
      inFile('src/hooks/run.test.ts')('run in order, with the state on their standard input'),
    );
    add('MUST', 'prestart hooks come in create, with the environment made, before pivot_root', allPhases);
    add('MUST', 'createRuntime hooks come in create, after prestart', allPhases);
    add('MUST', 'createContainer hooks come in create, after createRuntime, before pivot_root', allPhases);
    add('MUST', 'startContainer hooks come in start, before the program', allPhases);
    add('MUST', 'poststart hooks come after the program began and before start returns', allPhases);
    add(
      'MUST',
      'poststop hooks come after the container is deleted and before delete returns',
      allPhases,
      suite('poststop hooks find the container gone'),
    );
  }),
  ...section('config.md, Annotations', (add, exempt) => {
    add('MUST', 'annotations are a map', refuses);
    add('MUST', 'keys are strings', refuses);
    add('MUST NOT', 'keys are not empty', refuses);
    exempt('SHOULD', 'keys are reverse domain names', AUTHOR);
    exempt('MUST', 'keys below org.opencontainers mean what the specification says', AUTHOR);
    exempt('SHOULD', 'keys below org.opencontainers.image are as the image specification says', AUTHOR);
    exempt('MUST', 'values of keys below org.opencontainers.image are valid there', AUTHOR);
    exempt(
      'SHOULD',
      'org.opencontainers.image.stopSignal is the signal that ends the container',
      'kill gets its signal from its caller',
    );
    exempt('MUST NOT', 'other keys below org.opencontainers are reserved', AUTHOR);
    add('MUST', 'unknown keys are ignored', suite('unknown annotations and unknown properties are ignored'));
    add('MUST', 'values are strings', refuses);
  }),
  ...section('config.md, Extensibility', (add) => {
    add(
      'MUST',
      'unknown properties are ignored',
      validate('unknown properties are allowed everywhere'),
      suite('unknown annotations and unknown properties are ignored'),
    );
  }),
  ...section('config.md, Valid values', (add) => {
    add('MUST', 'an invalid value is an error', refuses, suite('an invalid value is an error of create'));
  }),
  ...section('config.md, terminal', (add) => {
    add(
      'SHOULD',
      'a terminal is allocated and is the program’s standard streams',
      terminal('*: a shell on a terminal'),
    );
  }),
];
