/**
 * `runts validate`: every violation of a bundle's config.json, one a line on stderr, or with --json as an array on stdout.
 *
 * @module
 */

import { print, printError } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';
import { CONFIG_NAME, type LoadedConfig, readConfig } from '../spec/load.ts';
import type { Spec } from '../spec/types.ts';
import type { Violation } from '../spec/violations.ts';
import { specWarnings } from '../spec/warnings.ts';

export function run(ctx: CommandContext): number {
  const bundle = String(ctx.flags.bundle || '.');
  const json = ctx.flags.json === true;
  const { value, violations } = json ? readAsViolations(bundle) : readConfig(bundle);
  if (json) print(`${JSON.stringify(violations, null, 2)}\n`);
  else if (violations.length > 0) printError(violations.map(line).join(''));
  else {
    const spec = value as Spec;
    printError(
      specWarnings(spec)
        .map(({ message }) => `warning: ${message}\n`)
        .join(''),
    );
    print(`${CONFIG_NAME} is valid (ociVersion ${spec.ociVersion})\n`);
  }
  return violations.length === 0 ? 0 : 1;
}

function line({ path, message, spec }: Violation): string {
  return `${path === '' ? `${CONFIG_NAME}: ` : ''}${message}${spec === undefined ? '' : ` (${spec})`}\n`;
}

/** A file that isn't JSON is a violation as well, so that --json always prints an array. */
function readAsViolations(bundle: string): LoadedConfig {
  try {
    return readConfig(bundle);
  } catch (error) {
    if (!(error instanceof RuntsError) || error.code !== 'E_CONFIG_SYNTAX') throw error;
    const { message } = error;
    return {
      value: undefined,
      violations: [{ path: '', found: 'text', allowed: 'JSON', message, check: 'syntax' }],
    };
  }
}
