/**
 * A check: one rule of the specification that a JSON Schema can't express.
 *
 * @module
 */

import type { LinuxNamespace, LinuxNamespaceType, Spec } from '../types.ts';

/** What a check reports. */
export interface Finding {
  /** Path of the field, e.g. `process.cwd`. */
  path: string;
  /** What stands there; undefined when it is absent. */
  found: unknown;
  /** What is allowed there, in words. */
  allowed: string;
  /** The message after the path, where the usual one doesn't say enough or callers match runc's. */
  text?: string;
}

export type Report = (finding: Finding) => void;

export interface Check {
  /** Stable name, shown by `validate --json`. */
  name: string;
  /** Section of the specification or another source of the rule. */
  spec: string;
  /** Paths that the check reads: it is left out when the schema has refused something there. */
  reads: readonly string[];
  check: (spec: Spec, report: Report) => void;
}

/** The namespace of a type, new or to be joined; undefined when the container stays in the runtime's. */
export function namespaceOf(spec: Spec, type: LinuxNamespaceType): LinuxNamespace | undefined {
  for (const namespace of spec.linux?.namespaces ?? []) if (namespace.type === type) return namespace;
  return undefined;
}

/** Whether the container gets a new namespace of a type. An empty path is as good as none. */
export function createsNamespace(spec: Spec, type: LinuxNamespaceType): boolean {
  const namespace = namespaceOf(spec, type);
  return namespace !== undefined && !namespace.path;
}

/** Whether an object has any entry. */
export function hasEntries(value: object | undefined): boolean {
  return value !== undefined && Object.keys(value).length > 0;
}
