/**
 * Help texts, made from the tables.
 *
 * @module
 */

import { COMMIT, SPEC_VERSION, VERSION } from '../version.ts';
import { COMMANDS, GLOBAL_FLAGS, HELP_COMMAND, HELP_FLAG } from './tables/index.ts';
import type { CommandSpec, FlagSpec } from './types.ts';

const INTRODUCTION = `runts runs containers that are packaged according to the Open Container Initiative (OCI)
specification: it is what containerd, Docker, Podman, CRI-O and Kubernetes call to create,
start and remove one container.

A container comes from a bundle, a folder with a config.json and a root file system:

    mkdir -p web/rootfs/bin && cp /bin/busybox web/rootfs/bin/sh      # a static one
    runts spec --bundle web
    runts run --bundle web web`;

/** The help of the whole program. */
export function programHelp(): string {
  const commands = [...COMMANDS, HELP_COMMAND]
    .filter((spec) => !spec.hidden)
    .map((spec): Row => [[spec.name, ...(spec.aliases ?? [])].join(', '), spec.summary]);
  return sections([
    ['NAME', 'runts - an Open Container Initiative runtime'],
    ['USAGE', 'runts [global options] COMMAND [command options] [arguments...]'],
    ['VERSION', `${VERSION} (commit ${COMMIT}, runtime-spec ${SPEC_VERSION})`],
    ['DESCRIPTION', INTRODUCTION],
    ['COMMANDS', `${rows(commands)}\n\n"runts COMMAND --help" describes a command.`],
    ['GLOBAL OPTIONS', flagRows(GLOBAL_FLAGS)],
  ]);
}

/** The help of one command. */
export function commandHelp(spec: CommandSpec): string {
  const usage = `runts ${spec.name} [command options] ${spec.operands}`.trimEnd();
  return sections([
    ['NAME', `runts ${spec.name} - ${spec.summary}`],
    ['USAGE', usage],
    ['DESCRIPTION', spec.description],
    ['OPTIONS', flagRows([...spec.flags, HELP_FLAG])],
  ]);
}

type Row = readonly [left: string, right: string];

function sections(parts: readonly Row[]): string {
  return `${parts.map(([title, text]) => `${title}:\n${indent(text)}`).join('\n\n')}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '   ');
}

/** Two columns; the right one is wrapped. */
function rows(list: readonly Row[]): string {
  const left = Math.max(...list.map(([text]) => text.length));
  const margin = ' '.repeat(left + 2);
  return list
    .map(([name, text]) => `${name.padEnd(left)}  ${wrap(text, 100 - left - 5).join(`\n${margin}`)}`)
    .join('\n');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function flagRows(flags: readonly FlagSpec[]): string {
  return rows(flags.filter((flag) => !flag.hidden).map((flag): Row => [flagNames(flag), flagText(flag)]));
}

function flagNames(flag: FlagSpec): string {
  const value = flag.type === 'boolean' ? '' : ` ${flag.value ?? 'VALUE'}`;
  const long = `--${flag.name}${value}`;
  return flag.short === undefined ? long : `${long}, -${flag.short}${value}`;
}

function flagText(flag: FlagSpec): string {
  const several = flag.repeat ? ' (may be repeated)' : '';
  return `${flag.help}${several}${flag.default === undefined ? '' : ` (default: ${flag.default})`}`;
}
