/**
 * Reference pages from the tables of the command line: Markdown for docs/, roff for man(1).
 *
 * @module
 */

import { COMMANDS, GLOBAL_FLAGS, HELP_FLAG } from './tables/index.ts';
import type { CommandSpec, FlagSpec } from './types.ts';

/** A page: file name and text. */
export interface Page {
  file: string;
  text: string;
}

const visible = (flags: readonly FlagSpec[]): FlagSpec[] =>
  [...flags.filter((flag) => flag !== HELP_FLAG), HELP_FLAG].filter((flag) => flag.hidden !== true);

function exitStatus({ exitsAs = '0', failureExitCode = 1 }: CommandSpec): string {
  return `${exitsAs}, or ${failureExitCode} when runts itself fails`;
}

function spelling(flag: FlagSpec): string {
  const names = flag.short === undefined ? `--${flag.name}` : `--${flag.name}, -${flag.short}`;
  return flag.type === 'boolean' ? names : `${names} ${flag.value ?? 'VALUE'}`;
}

/** Help text with the default, where it says something. */
function meaning(flag: FlagSpec): string {
  const { default: value } = flag;
  return value === undefined || value === false || value === ''
    ? flag.help
    : `${flag.help} (default: ${value})`;
}

function usage(command: CommandSpec): string {
  return `runts [global options] ${command.name} [options]${command.operands === '' ? '' : ` ${command.operands}`}`;
}

const NOTICE = '<!-- Made from src/cli/tables by npm run reference. -->';

function markdownFlags(flags: readonly FlagSpec[]): string {
  const escaped = (text: string): string => text.replaceAll('|', '\\|');
  const rows = visible(flags).map((flag) => `| \`${escaped(spelling(flag))}\` | ${escaped(meaning(flag))} |`);
  return ['| option | meaning |', '| --- | --- |', ...rows].join('\n');
}

/** Prose and examples: what is indented in the description is an example. */
function markdownText(description: string): string {
  return description
    .split(/\n\n/)
    .map((paragraph) => {
      const lines = paragraph.split('\n');
      const first = lines.findIndex((line) => line.startsWith('    '));
      if (first < 0) return paragraph;
      const example = lines.slice(first).map((line) => line.slice(4));
      return [...lines.slice(0, first), '', '```sh', ...example, '```'].join('\n').replace(/^\n/, '');
    })
    .join('\n\n');
}

/** One Markdown page a command, and an index. */
export function markdownPages(): Page[] {
  const commands = COMMANDS.filter((command) => command.hidden !== true);
  const pages = commands.map((command) => ({
    file: `${command.name}.md`,
    text: `${NOTICE}\n# runts ${command.name}\n\n${sentence(command.summary)}\n\n\`\`\`\n${usage(command)}\n\`\`\`\n\n${markdownText(command.description)}\n\n## Options\n\n${markdownFlags(command.flags)}\n\nExit status: ${exitStatus(command)}. Global options: [README.md](README.md).\n`,
  }));
  const rows = commands.map(
    (command) => `| [\`${command.name}\`](${command.name}.md) | ${command.summary} |`,
  );
  const index = `${NOTICE}\n# Commands\n\n\`\`\`\nrunts [global options] COMMAND [options] [operands]\n\`\`\`\n\n| command | what it does |\n| --- | --- |\n${rows.join('\n')}\n\n## Global options\n\nThey stand before the command.\n\n${markdownFlags(GLOBAL_FLAGS)}\n`;
  return [{ file: 'README.md', text: index }, ...pages];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** roff: a backslash and a leading dot or quote mean something, a minus is a hyphen unless escaped. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

function roffFlags(flags: readonly FlagSpec[]): string {
  return visible(flags)
    .map((flag) => `.TP\n.B ${roff(spelling(flag))}\n${roff(sentence(meaning(flag)))}`)
    .join('\n');
}

function roffText(description: string): string {
  return description
    .split(/\n\n/)
    .map((paragraph) => {
      const lines = paragraph.split('\n');
      const first = lines.findIndex((line) => line.startsWith('    '));
      if (first < 0) return `.PP\n${roff(paragraph)}`;
      const example = lines.slice(first).map((line) => line.slice(4));
      return `.PP\n${roff(lines.slice(0, first).join('\n'))}\n.PP\n.RS 4\n.nf\n${roff(example.join('\n'))}\n.fi\n.RE`;
    })
    .join('\n');
}

/** One man page a command in section 8, and one for the program. */
export function manPages(version: string): Page[] {
  const commands = COMMANDS.filter((command) => command.hidden !== true);
  const page = (name: string, summary: string, synopsis: string, body: string): Page => ({
    file: `${name}.8`,
    text: `.TH ${name.toUpperCase()} 8 "" "runts ${version}" "runts"\n.SH NAME\n${roff(name)} \\- ${roff(summary)}\n.SH SYNOPSIS\n.B ${roff(synopsis)}\n${body}\n`,
  });
  const list = commands
    .map((c) => `.TP\n.BR runts\\-${roff(c.name)} (8)\n${roff(sentence(c.summary))}`)
    .join('\n');
  return [
    page(
      'runts',
      'OCI container runtime',
      'runts [global options] COMMAND [options] [operands]',
      `.SH COMMANDS\n${list}\n.SH OPTIONS\nThey stand before the command.\n${roffFlags(GLOBAL_FLAGS)}`,
    ),
    ...commands.map((command) =>
      page(
        `runts-${command.name}`,
        command.summary,
        usage(command),
        `.SH DESCRIPTION\n${roffText(command.description)}\n.SH OPTIONS\n${roffFlags(command.flags)}\n.SH EXIT STATUS\n${sentence(exitStatus(command))}\n.SH SEE ALSO\n.BR runts (8)`,
      ),
    ),
  ];
}
