import { z } from 'zod';
import { instant, json, line, name, text } from './validation.ts';

/** What can be said about a board when it is made or changed. */
export const boardFields = {
  name: name.nullish(),
  slug: z
    .string()
    .trim()
    .max(80, 'must have at most 80 characters')
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters and digits, in words joined by single hyphens')
    .nullish(),
  description: text(10_000).nullish(),
  boardType: line(40).nullish(),
  objective: text(10_000).nullish(),
  successMetrics: json(20_000, 10).nullish(),
  targetDate: instant.nullish(),
  maxAgents: z.int().min(0, 'must not be negative').max(1_000, 'must be at most 1000').nullish(),
};
