/** Version, root, host names, annotations. */

import { utf8Length } from '../../../ffi/text.ts';
import type { Spec } from '../types.ts';
import type { Check, Report } from './types.ts';
import { namespaceOf } from './types.ts';

/** __NEW_UTS_LEN of the kernel, in bytes. */
const UTS_LENGTH = 64;

/** The two names of a UTS namespace. runc's texts. */
function checkUtsName(
  spec: Spec,
  field: 'hostname' | 'domainname',
  value: string | undefined,
  report: Report,
): void {
  if (!value) return;
  if (namespaceOf(spec, 'uts') === undefined) {
    report({
      path: field,
      found: value,
      allowed: 'nothing without a uts namespace in linux.namespaces',
      text: `unable to set ${field} without a private UTS namespace`,
    });
  }
  // No character takes more than 4 bytes.
  if (value.length > UTS_LENGTH / 4 && utf8Length(value) > UTS_LENGTH) {
    report({ path: field, found: value, allowed: `a name of at most ${UTS_LENGTH} bytes` });
  }
}

export const generalChecks: readonly Check[] = [
  {
    name: 'oci-version',
    spec: 'config.md, Specification version',
    reads: ['ociVersion'],
    check({ ociVersion }, report) {
      if (ociVersion.startsWith('1.')) return;
      report({
        path: 'ociVersion',
        found: ociVersion,
        allowed: 'a version 1.x',
        text: `unsupported version ${JSON.stringify(ociVersion)}: every 1.x is supported`,
      });
    },
  },
  {
    name: 'root-required',
    spec: 'config.md, Root',
    reads: ['root'],
    check({ root }, report) {
      if (root === undefined)
        report({ path: 'root', found: root, allowed: 'a value (it is required on Linux)' });
      else if (root.path === '') report({ path: 'root.path', found: '', allowed: 'the path of a folder' });
    },
  },
  {
    name: 'hostname',
    spec: 'config.md, Hostname',
    reads: ['hostname', 'linux.namespaces'],
    check(spec, report) {
      checkUtsName(spec, 'hostname', spec.hostname, report);
    },
  },
  {
    name: 'domainname',
    spec: 'config.md, Domainname',
    reads: ['domainname', 'linux.namespaces'],
    check(spec, report) {
      checkUtsName(spec, 'domainname', spec.domainname, report);
    },
  },
  {
    name: 'annotation-keys',
    spec: 'config.md, Annotations',
    reads: ['annotations'],
    check({ annotations }, report) {
      if (annotations !== undefined && Object.hasOwn(annotations, '')) {
        report({ path: 'annotations[""]', found: annotations[''], allowed: 'a key that is not empty' });
      }
    },
  },
];
