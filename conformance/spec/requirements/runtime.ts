/** bundle.md, runtime.md and runtime-linux.md of runtime-spec 1.3.0. */

import { inFile, PERMISSION, section } from '../requirement.ts';

const lifecycle = inFile('src/commands/lifecycle.test.ts');
const hooks = inFile('test/hooks.test.ts');
const process = inFile('test/process.test.ts');
const rootfs = inFile('test/rootfs.test.ts');
const state = inFile('src/container/state.test.ts');
const status = inFile('src/container/status.test.ts');
const load = inFile('src/spec/load.test.ts');
const suite = inFile('conformance/spec/lifecycle.test.ts');

export const RUNTIME = [
  ...section('bundle.md, Container Format', (add, exempt) => {
    add('MUST', 'config.json lies in the bundle’s folder, under that name', load('a missing config.json'));
    exempt(
      'MUST',
      'a bundle’s artifacts lie in one folder',
      'defines archives of bundles; root.path may lead elsewhere',
    );
  }),
  ...section('runtime.md, Scope of a Container', (add) => {
    add(
      'MUST',
      'who created a container can use every operation on it',
      suite('every operation works on a container that was created'),
    );
  }),
  ...section('runtime.md, State', (add, exempt) => {
    add('MUST', 'an id is unique on the host', state('an id is taken once'));
    exempt('MUST', 'further statuses mean further states only', PERMISSION);
    add(
      'MUST',
      'the state’s JSON fits the schema',
      status('the state object of the specification'),
      inFile('src/spec/schemas.test.ts')('state and features'),
    );
  }),
  ...section('runtime.md, Lifecycle', (add) => {
    add(
      'MUST',
      'create makes the environment that config.json describes',
      suite('create makes the environment, and does not run the program'),
    );
    add(
      'MUST',
      'an environment that can’t be made is an error',
      inFile('test/namespaces.test.ts')('a sysctl that can’t be'),
      inFile('test/mounts.test.ts')('what can’t be mounted is an error that names the mount'),
    );
    add(
      'MUST',
      'resources are there after create',
      suite('create makes the environment, and does not run the program'),
    );
    add(
      'MUST NOT',
      'the program does not run before start',
      suite('create makes the environment, and does not run the program'),
    );
    add(
      'MUST NOT',
      'changes of config.json after create don’t matter',
      suite('changes of config.json after create have no effect'),
    );
    for (const phase of ['prestart', 'createRuntime', 'createContainer']) {
      add(
        'MUST',
        `${phase} hooks are run in create`,
        hooks('*: hooks of all phases, in order, each with its state and its namespaces'),
      );
      add(
        'MUST',
        `a failing ${phase} hook is an error, and the container is destroyed`,
        hooks('*: a failing * hook fails create, and nothing is left'),
      );
    }
    add(
      'MUST',
      'startContainer hooks are run in start',
      hooks('*: hooks of all phases, in order, each with its state and its namespaces'),
    );
    add(
      'MUST',
      'a failing startContainer hook is an error, and the container is stopped',
      hooks('*: a failing startContainer hook fails start, and the command never runs'),
    );
    add('MUST', 'start runs the program', suite('start runs the program, once'));
    add(
      'MUST',
      'poststart hooks are run',
      hooks('*: hooks of all phases, in order, each with its state and its namespaces'),
    );
    add(
      'MUST',
      'a failing poststart hook is an error, and the container is stopped',
      hooks('*: a failing poststart hook fails start, and the container is stopped'),
    );
    add('MUST', 'delete undoes what create made', suite('delete removes what create made, and nothing else'));
    add(
      'MUST',
      'poststop hooks are run',
      hooks('*: hooks of all phases, in order, each with its state and its namespaces'),
    );
    add(
      'MUST',
      'a failing poststop hook is a warning, and the rest goes on',
      hooks('*: a failing poststop hook is a warning'),
      inFile('src/hooks/run.test.ts')('of poststop all run, and fail with a warning only'),
    );
  }),
  ...section('runtime.md, Errors', (add) => {
    add('MUST', 'after an error everything is as before', suite('a create that fails leaves nothing'));
  }),
  ...section('runtime.md, Warnings', (add) => {
    add(
      'MUST',
      'a warning doesn’t change what is done',
      inFile('src/commands/validate.test.ts')('validate warns'),
      hooks('*: a failing poststop hook is a warning'),
    );
  }),
  ...section('runtime.md, Operations', (add) => {
    add(
      'MUST',
      'state, create, start, kill and delete are there',
      suite('every operation works on a container that was created'),
    );
  }),
  ...section('runtime.md, Query State', (add) => {
    add('MUST', 'state without an id is an error', suite('operations without an id are errors'));
    add('MUST', 'state of what is no container is an error', lifecycle('state of what is no container'));
    add('MUST', 'state gives the state', lifecycle('state prints JSON as runc does'));
  }),
  ...section('runtime.md, Create', (add) => {
    add(
      'MUST',
      'create without a bundle or an id is an error',
      suite('create without an id, or without a bundle, is an error'),
    );
    add(
      'MUST',
      'an id that is taken or invalid is an error',
      suite('an id that is taken or invalid is an error, and nothing is made'),
      inFile('src/container/id.test.ts')(
        'everything that is not one plain file name is refused with the texts that callers match',
      ),
    );
    add(
      'MUST NOT',
      'then nothing is made',
      suite('an id that is taken or invalid is an error, and nothing is made'),
    );
    add(
      'MUST',
      'create makes a new container',
      suite('create makes the environment, and does not run the program'),
    );
    add(
      'MUST',
      'all of config.json but process is applied',
      suite('create makes the environment, and does not run the program'),
      process('init of a created container has exactly what the config says, before execve changes it'),
    );
    add(
      'MUST NOT',
      'process.args waits for start',
      suite('create makes the environment, and does not run the program'),
    );
    add(
      'MUST',
      'a property that can’t be applied is an error',
      inFile('test/namespaces.test.ts')('a sysctl that can’t be'),
      rootfs('a rootfs that is none'),
    );
    add('MUST NOT', 'then no container is made', suite('a create that fails leaves nothing'));
  }),
  ...section('runtime.md, Start', (add) => {
    add('MUST', 'start without an id is an error', suite('operations without an id are errors'));
    add('MUST', 'start of what isn’t created has no effect', suite('start runs the program, once'));
    add('MUST', 'start of what isn’t created is an error', suite('start runs the program, once'));
    add('MUST', 'start runs the program of process', suite('start runs the program, once'));
    add('MUST', 'start without process is an error', suite('a config without process can’t be started'));
  }),
  ...section('runtime.md, Kill', (add) => {
    add('MUST', 'kill without an id is an error', suite('operations without an id are errors'));
    add(
      'MUST',
      'kill of what neither is created nor runs has no effect',
      suite('kill of a stopped container is an error'),
    );
    add(
      'MUST',
      'kill of what neither is created nor runs is an error',
      lifecycle('kill in the other states'),
      suite('kill of a stopped container is an error'),
    );
    add(
      'MUST',
      'kill sends that signal to the process',
      lifecycle('kill sends the signal by any name, TERM by default'),
      suite('kill sends the signal to the program'),
    );
  }),
  ...section('runtime.md, Delete', (add, exempt) => {
    add('MUST', 'delete without an id is an error', suite('operations without an id are errors'));
    add(
      'MUST',
      'delete of a running container has no effect',
      suite('delete of a running container is an error, without effect'),
    );
    add(
      'MUST',
      'delete of a running container is an error',
      lifecycle('delete of a running container needs --force'),
      suite('delete of a running container is an error, without effect'),
    );
    exempt(
      'MUST',
      'delete of a created container is an error',
      'runc, crun and youki end and delete it, and containerd relies on that',
    );
    add(
      'MUST',
      'delete removes what create made',
      suite('delete removes what create made, and nothing else'),
    );
    add(
      'MUST NOT',
      'delete leaves what create did not make',
      suite('delete removes what create made, and nothing else'),
      inFile('src/cgroup/create.test.ts')('an existing empty cgroup is taken and not removed when undone'),
    );
  }),
  ...section('runtime-linux.md, File descriptors', (add) => {
    add(
      'SHOULD',
      'only the three standard streams are open in the container',
      process('nothing of the runtime is open in the container'),
    );
  }),
  ...section('runtime-linux.md, Dev symbolic links', (add) => {
    add(
      'MUST',
      '/dev/fd, stdin, stdout and stderr are links into /proc/self/fd',
      rootfs('the default devices and links of /dev'),
    );
  }),
];
