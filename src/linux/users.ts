/**
 * Users and groups in the text of /etc/passwd and /etc/group. Only {@link hostUsers} reads a file.
 *
 * The files come from images that anybody made: lines that don't fit the format are passed over, and of two with the same
 * id the first counts, as in getpwuid(3).
 *
 * @see passwd(5), group(5)
 * @module
 */

import { readFileSync } from '#files';

export interface User {
  name: string;
  uid: number;
  /** Primary group. */
  gid: number;
  /** May be empty. */
  home: string;
  shell: string;
}

export interface Group {
  name: string;
  gid: number;
  /** Names of the users that have it as an additional group. */
  members: string[];
}

/** Ids are 32 bits; 2^32 - 1 means "no change" in the system calls, and is nobody's. */
const NO_ID = 2 ** 32 - 1;

/** The users in the text of an /etc/passwd, in its order. */
export function parsePasswd(text: string): User[] {
  const users: User[] = [];
  for (const fields of linesOf(text)) {
    const [name = '', , uid, gid, , home = '', shell = ''] = fields;
    const ids = { uid: parseId(uid), gid: parseId(gid) };
    if (name === '' || ids.uid === undefined || ids.gid === undefined) continue;
    users.push({ name, uid: ids.uid, gid: ids.gid, home, shell });
  }
  return users;
}

/** The groups in the text of an /etc/group, in its order. */
export function parseGroup(text: string): Group[] {
  const groups: Group[] = [];
  for (const [name = '', , id, members = ''] of linesOf(text)) {
    const gid = parseId(id);
    if (name === '' || gid === undefined) continue;
    groups.push({ name, gid, members: members.split(',').filter((member) => member !== '') });
  }
  return groups;
}

/** The home folder of a user, for HOME; `/` for one who has none, or who isn't there. */
export function homeOf(passwd: string, uid: number): string {
  return parsePasswd(passwd).find((user) => user.uid === uid)?.home || '/';
}

/** Names by id. */
export function userNames(passwd: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const { uid, name } of parsePasswd(passwd)) if (!names.has(uid)) names.set(uid, name);
  return names;
}

/** The name of a user, or `#` and the id of one who has none, as `list` shows owners. */
export function userName(passwd: string, uid: number): string {
  return userNames(passwd).get(uid) ?? `#${uid}`;
}

/** The text of this host's /etc/passwd; empty where there is none. */
export function hostUsers(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

function* linesOf(text: string): Generator<string[]> {
  for (const line of text.split('\n')) {
    // Comments are not in the manual page, but in files; `+` and `-` are NIS's.
    if (/^\s*(?:$|[#+-])/.test(line)) continue;
    yield line.replace(/\r$/, '').split(':');
  }
}

function parseId(field: string | undefined): number | undefined {
  if (field === undefined || !/^\d{1,10}$/.test(field)) return undefined;
  const id = Number(field);
  return id < NO_ID ? id : undefined;
}
