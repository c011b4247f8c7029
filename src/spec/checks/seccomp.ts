/** The system call filter. Whether names exist and the kernel supports it is found when the filter is compiled. */

import type { LinuxSeccompAction } from '../types.ts';
import type { Check } from './types.ts';

const WITH_ERRNO: readonly LinuxSeccompAction[] = ['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'];
const ALLOWED_ERRNO = `nothing: only ${WITH_ERRNO.join(' and ')} have an errno`;

export const seccompChecks: readonly Check[] = [
  {
    name: 'seccomp-errno',
    spec: 'config-linux.md, Seccomp',
    reads: ['linux.seccomp'],
    check({ linux }, report) {
      const { defaultAction, defaultErrnoRet, syscalls = [] } = linux?.seccomp ?? {};
      if (
        defaultErrnoRet !== undefined &&
        defaultAction !== undefined &&
        !WITH_ERRNO.includes(defaultAction)
      ) {
        report({ path: 'linux.seccomp.defaultErrnoRet', found: defaultErrnoRet, allowed: ALLOWED_ERRNO });
      }
      syscalls.forEach(({ action, errnoRet }, i) => {
        if (errnoRet === undefined || WITH_ERRNO.includes(action)) return;
        report({ path: `linux.seccomp.syscalls[${i}].errnoRet`, found: errnoRet, allowed: ALLOWED_ERRNO });
      });
    },
  },
  {
    name: 'seccomp-notify',
    spec: 'config-linux.md, Seccomp',
    reads: ['linux.seccomp'],
    check({ linux }, report) {
      const { defaultAction, listenerPath, listenerMetadata, syscalls = [] } = linux?.seccomp ?? {};
      const path = 'linux.seccomp';
      // The runtime itself must be able to tell the agent: after the filter is loaded it writes.
      if (defaultAction === 'SCMP_ACT_NOTIFY') {
        report({
          path: `${path}.defaultAction`,
          found: defaultAction,
          allowed: 'another action',
          text: 'SCMP_ACT_NOTIFY cannot be used as default action',
        });
      }
      let notifies = false;
      syscalls.forEach(({ action, names }, i) => {
        if (action !== 'SCMP_ACT_NOTIFY') return;
        notifies = true;
        const write = names.indexOf('write');
        if (write < 0) return;
        report({
          path: `${path}.syscalls[${i}].names[${write}]`,
          found: 'write',
          allowed: 'another system call',
          text: 'SCMP_ACT_NOTIFY cannot be used for the write syscall',
        });
      });
      if (notifies && !listenerPath) {
        report({
          path: `${path}.listenerPath`,
          found: listenerPath,
          allowed: 'a socket: SCMP_ACT_NOTIFY needs it',
        });
      }
      if (listenerMetadata && !listenerPath) {
        report({
          path: `${path}.listenerMetadata`,
          found: listenerMetadata,
          allowed: 'nothing without listenerPath',
        });
      }
    },
  },
];
