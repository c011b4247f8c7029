/**
 * What `runts --version` prints.
 *
 * @module
 */

/** Replaced by the build (`--define RUNTS_COMMIT='"..."'`); absent when the source runs as it is. */
declare const RUNTS_COMMIT: string | undefined;

/** The package's version; a test compares it with package.json. */
export const VERSION = '0.1.0';

/** The commit that the program was built from. */
export const COMMIT: string = typeof RUNTS_COMMIT === 'string' ? RUNTS_COMMIT : 'unknown';

/** The runtime-spec version that is implemented in full. */
export const SPEC_VERSION = '1.3.0';

/**
 * The lines of `runts --version`.
 *
 * The first line names this program. go-runc fills its `Version` only when the line starts with `runc version `
 * and otherwise returns an empty one without an error, as it does for crun and youki; Docker takes the name and
 * the version from any line with the word `version`, the last one deciding, so no later line may hold that
 * word; Podman shows the text as it is. Calling ourselves runc would fill one field and mislead everyone else.
 */
export function versionText(): string {
  const { quickjs, node } = process.versions;
  const engine = quickjs === undefined ? `node ${node}` : `quickjs ${quickjs}`;
  return `runts version ${VERSION}\ncommit: ${COMMIT}\nspec: ${SPEC_VERSION}\nengine: ${engine}\n`;
}
