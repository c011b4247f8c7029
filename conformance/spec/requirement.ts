/**
 * The form of one requirement of the runtime specification.
 *
 * @module
 */

export type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT';

export interface Requirement {
  readonly level: Level;
  /** Document and heading: "runtime.md, Create". */
  readonly section: string;
  /** In our words. */
  readonly text: string;
  /** "FILE: NAME" of each test that proves it. In the name of a template "*" stands for what is put in. */
  readonly tests: readonly string[];
  /** Why there is nothing for a runtime like this one to prove. */
  readonly exempt?: string;
}

type Add = (level: Level, text: string, ...tests: readonly string[]) => void;

/** Collects a section's requirements. */
export function section(
  title: string,
  define: (add: Add, exempt: (level: Level, text: string, why: string) => void) => void,
): Requirement[] {
  const requirements: Requirement[] = [];
  define(
    (level, text, ...tests) => requirements.push({ level, section: title, text, tests }),
    (level, text, why) => requirements.push({ level, section: title, text, tests: [], exempt: why }),
  );
  return requirements;
}

/** Shorthand for test names. @param file relative to the project's folder */
export function inFile(file: string): (name: string) => string {
  return (name) => `${file}: ${name}`;
}

export const AUTHOR = 'binds who writes configs, and there is nothing that a runtime could check';
export const V1 = 'cgroup v1, which runts does not manage';
export const PERMISSION = 'a permission and a condition in one: what runts does not do can’t fail';
