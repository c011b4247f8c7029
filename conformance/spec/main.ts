/** Placeholder until the list is there. */
export function run(): number {
  return 0;
}
