/**
 * A text for Prisma's comparisons regardless of case. They are ILIKE, in which `%`, `_` and `\` have meanings, and Prisma
 * leaves these as they are: here every character means itself.
 */
export function literally(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
