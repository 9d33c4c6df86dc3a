// The trace of a decision, read carefully: it is kept as the engine of its time wrote it.
import type { Decision } from './requests';

export interface Hit {
  rule: string;
  phrases: string[];
  items: string[];
  weight: number | null;
  /** Whether the phrases were learned from past tickets rather than written by a person. */
  isLearned: boolean;
}

type Loose = Record<string, unknown>;

const list = (value: unknown): Loose[] => (Array.isArray(value) ? value.filter((each): each is Loose => typeof each === 'object' && each !== null) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The candidates, best first. */
export function rankedOf(decision: Decision | null | undefined): { item: string; score: number }[] {
  return list(decision?.ranked).flatMap(({ item, score }) => (typeof item === 'string' ? [{ item, score: Number(score) || 0 }] : []));
}

/** The rules that spoke, the weightiest for what was decided first. */
export function hitsOf(decision: Decision | null | undefined): Hit[] {
  const hits = list((decision?.trace as Loose | null | undefined)?.hits).map((hit): Hit => ({
    rule: text(hit.rule),
    phrases: [...new Set(list(hit.phrases).map(({ phrase }) => text(phrase)).filter(Boolean))],
    items: [...new Set(list(hit.effects).map(({ item }) => text(item)).filter(Boolean))],
    weight: typeof hit.weight === 'number' ? hit.weight : null,
    isLearned: text(hit.rule) === 'learned',
  }));
  const counts = (hit: Hit): number => (hit.items.includes(decision?.item ?? '') ? 1000 : 0) + (hit.weight ?? 0);
  return hits.filter(({ phrases, items }) => phrases.length > 0 || items.length > 0).sort((one, other) => counts(other) - counts(one));
}
