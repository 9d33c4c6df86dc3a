// The inbox by due date.
import type { Summary } from './requests';

export const GROUPS = ['overdue', 'today', 'later', 'none'] as const;
export type Group = (typeof GROUPS)[number];

/** Under which heading a ticket stands; days end where they end in the city's zone. */
export function groupOf(due: string | null | undefined, now: number, zone: string): Group {
  if (!due) return 'none';
  const at = Date.parse(due);
  if (at < now) return 'overdue';
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
  return day.format(at) === day.format(now) ? 'today' : 'later';
}

/** The groups that hold something, each with its tickets, the earliest first. */
export function grouped(items: readonly Summary[], now: number, zone: string): { group: Group; items: Summary[] }[] {
  const found = new Map<Group, Summary[]>();
  for (const item of items) {
    const group = groupOf(item.due_at, now, zone);
    found.set(group, [...(found.get(group) ?? []), item]);
  }
  const due = (item: Summary): number => (item.due_at ? Date.parse(item.due_at) : Number.POSITIVE_INFINITY);
  return GROUPS.flatMap((group) => {
    const members = found.get(group);
    return members ? [{ group, items: members.sort((one, other) => due(one) - due(other)) }] : [];
  });
}
