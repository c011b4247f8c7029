/**
 * Options for the file system itself, as mount(2) and as fsconfig(2) take them.
 *
 * @module
 */

import { utf8Length } from '../../ffi/text.ts';
import type { DataOption } from './mount-options.ts';

/** What fsconfig(2) takes of a value. */
const FSCONFIG_VALUE_MAX = 255;

/** For mount(2): all in one string. */
export function joinOptions(data: readonly DataOption[]): string {
  return data.map(({ key, value }) => (value === null ? key : `${key}=${value}`)).join(',');
}

/**
 * For fsconfig(2): one by one. A string of the config can hold several; where a comma is part of a value
 * (`mpol=bind:0,2`, a label in quotes), no name follows it. Overlay's layers can be too long for one value together.
 */
export function separateOptions(data: readonly DataOption[]): DataOption[] {
  return joinOptions(data)
    .split(/,(?=[a-z_]+(?:[=+,]|$))/)
    .filter((option) => option !== '')
    .flatMap((option): DataOption[] => {
      const equals = option.indexOf('=');
      if (equals < 0) return [{ key: option, value: null }];
      return layers(option.slice(0, equals), unquoted(option.slice(equals + 1)));
    });
}

/** `lowerdir=a:b` as one `lowerdir+` each where it is too long: Linux 6.8. */
function layers(key: string, value: string): DataOption[] {
  if (key !== 'lowerdir' || utf8Length(value) <= FSCONFIG_VALUE_MAX) return [{ key, value }];
  return value.split(/(?<!\\):/).map((layer) => ({ key: 'lowerdir+', value: layer.replaceAll('\\:', ':') }));
}

/** Quotes are for the commas of mount(2). */
function unquoted(value: string): string {
  return /^".*"$/.test(value) ? value.slice(1, -1) : value;
}
