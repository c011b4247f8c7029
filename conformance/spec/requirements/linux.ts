/** config-linux.md of runtime-spec 1.3.0, but for cgroups and resctrl. */

import { AUTHOR, inFile, section } from '../requirement.ts';

const namespaces = inFile('test/namespaces.test.ts');
const userns = inFile('test/userns.test.ts');
const rootfs = inFile('test/rootfs.test.ts');
const mounts = inFile('test/mounts.test.ts');
const checks = inFile('src/spec/checks/checks.test.ts');
const compile = inFile('src/seccomp/compile.test.ts');
const validate = inFile('src/spec/validate.test.ts');
const suite = inFile('conformance/spec/linux.test.ts');
const devices = inFile('conformance/spec/net-devices.test.ts');
const agent = inFile('test/seccomp-agent.test.ts');
const promised = agent('an agent gets the calls it was promised, noNewPrivileges *');
const refuses = validate('refuses * = *');

export const LINUX = [
  ...section('config-linux.md, Default Filesystems', (add) => {
    add(
      'SHOULD',
      '/proc, /sys, /dev/pts and /dev/shm are there',
      inFile('src/spec/spec.test.ts')('the default config'),
      mounts('file systems of the kernel, and overlay'),
    );
  }),
  ...section('config-linux.md, Namespaces', (add) => {
    for (const type of ['pid', 'network', 'mount', 'ipc', 'uts', 'cgroup']) {
      add('SHOULD', `namespaces of type ${type}`, namespaces('each namespace is new, or the runtime’s own'));
    }
    add('SHOULD', 'namespaces of type user', userns('ids are mapped, root is root inside only'));
    add(
      'SHOULD',
      'namespaces of type time',
      inFile('conformance/spec/time.test.ts')('a time namespace has clocks of its own'),
    );
    add('MUST', 'a namespace’s path is absolute', refuses);
    add(
      'MUST',
      'the process is in the namespace of the path',
      namespaces('namespaces joined by path are another container’s'),
      namespaces('a mount namespace joined by path'),
      userns('joined by path: another container’s'),
    );
    add(
      'MUST',
      'a path to another type of namespace is an error',
      namespaces('a path that is no such namespace'),
    );
    add(
      'MUST',
      'without a path the namespace is new',
      namespaces('each namespace is new, or the runtime’s own'),
    );
    add(
      'MUST',
      'a type that is not listed is the runtime’s own',
      namespaces('each namespace is new, or the runtime’s own'),
    );
    add(
      'MUST',
      'so is the mount namespace',
      inFile('conformance/spec/linux.test.ts')(
        'without any namespace the container has the runtime’s own, of each type',
      ),
    );
    add(
      'MUST',
      'the same type twice is an error',
      namespaces('the same namespace twice, and one that there is not'),
    );
  }),
  ...section('config-linux.md, User namespace mappings', (add) => {
    add(
      'SHOULD NOT',
      'mappings don’t change who owns files',
      suite('mappings leave the owners of files alone'),
    );
  }),
  ...section('config-linux.md, Devices', (add, exempt) => {
    add('MUST', 'the devices are there', rootfs('linux.devices'));
    add(
      'MUST',
      'a file at the path that is another thing is an error',
      suite('a file in the place of a device is an error'),
    );
    exempt('SHOULD NOT', 'a device is listed once', AUTHOR);
  }),
  ...section('config-linux.md, Default Devices', (add) => {
    for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx']) {
      add('MUST', `/dev/${name} is there`, rootfs('the default devices and links of /dev'));
    }
    add('MUST', '/dev/console is there with a terminal', suite('/dev/console is the terminal'));
  }),
  ...section('config-linux.md, Network Devices', (add) => {
    add(
      'MUST',
      'network devices are available in the container',
      devices(
        'a network device is moved, renamed and up, with its attributes and permanent global addresses',
      ),
    );
    add(
      'MUST',
      'it is checked whether a device can be moved',
      devices('a network device that is missing, or can’t be moved, is an error'),
    );
    add(
      'MUST',
      'a name that exists in the container is an error',
      devices('the name of a device that the container has is an error, and the device stays'),
    );
    add('MUST', 'a name with %d is completed by the kernel', devices('the kernel completes a name with %d'));
    add(
      'MUST',
      'attributes and permanent global addresses are kept',
      devices(
        'a network device is moved, renamed and up, with its attributes and permanent global addresses',
      ),
    );
    add(
      'MUST',
      'a moved device is up',
      devices(
        'a network device is moved, renamed and up, with its attributes and permanent global addresses',
      ),
    );
    add(
      'MUST NOT',
      'the device is left alone while the container runs',
      devices('a device is left alone until the namespace ends, and not moved back'),
    );
    add(
      'MUST NOT',
      'the device isn’t moved back before the container is deleted',
      devices('a device is left alone until the namespace ends, and not moved back'),
    );
  }),
  ...section('config-linux.md, Seccomp', (add) => {
    add(
      'MUST',
      'defaultErrnoRet with an action without errno is an error',
      compile('what can’t be a filter is refused, with the field'),
    );
    add(
      'MUST',
      'errnoRet with an action without errno is an error',
      compile('what can’t be a filter is refused, with the field'),
    );
    add('MUST', 'the listener is a stream socket in the file system', promised);
    add('MUST', 'each connection gets one container process state', promised);
    add(
      'MUST NOT',
      'a connection is not used twice',
      agent('every process of a container has its own connection'),
    );
    add('MUST', 'a connection is closed after the state was sent', promised);
    add(
      'MUST',
      'a state that can’t be sent is an error',
      agent('an agent that can’t be reached is an error with the field'),
    );
    add('MUST NOT', 'listenerMetadata without listenerPath is refused', checks('seccomp'));
    add('MUST', 'names of a rule has an entry', refuses);
  }),
  ...section('config-linux.md, The Container Process State', (add) => {
    add('MUST', 'the state is sent as JSON', promised);
    add('MUST', 'descriptors are sent by SCM_RIGHTS', promised);
    add('MUST', 'of several messages the first has the descriptors', promised);
  }),
  ...section('config-linux.md, Masked Paths', (add) => {
    add('MUST', 'masked paths are absolute', refuses);
    add(
      'MUST',
      'masked paths can’t be read',
      rootfs('masked paths: empty, and nothing that comes of writing to them'),
    );
  }),
  ...section('config-linux.md, Readonly Paths', (add) => {
    add('MUST', 'read-only paths are absolute', refuses);
    add(
      'MUST',
      'read-only paths can’t be written',
      rootfs('read-only paths, what is mounted below them included'),
    );
  }),
];
