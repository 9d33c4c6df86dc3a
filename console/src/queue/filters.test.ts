import { describe, expect, it } from 'vitest';

import { asked, belongs, filtersOf, isContact, numberIn, queryOf, type Summary } from './filters';

describe('filters', () => {
  it('stand in the address and come back from it', () => {
    const filters = filtersOf({ view: 'mine', state: 'triage', department: 'urban-management', order: 'due' });
    expect(queryOf(filters)).toEqual({ view: 'mine', state: 'triage', department: 'urban-management', order: 'due' });
    expect(filtersOf(queryOf(filters) as Record<string, string>)).toEqual(filters);
    expect(queryOf(filtersOf({}))).toEqual({});
  });

  it('take nothing else from the address', () => {
    expect(filtersOf({ view: 'all', order: ['due'], state: '138 0013 8000', channel: 'a b', q: 'x' })).toEqual(filtersOf({}));
  });

  it('become what the hub is asked for', () => {
    expect(asked(filtersOf({}), '')).toEqual({ state: 'open', order: 'newest' });
    expect(asked(filtersOf({ view: 'overdue', channel: 'sms' }), 'light')).toEqual({ state: 'open', order: 'newest', channel: 'sms', overdue: true, q: 'light' });
    expect(asked(filtersOf({ view: 'closed', order: 'due', state: 'triage' }), '')).toEqual({ state: 'closed', order: 'newest' });
  });

  const ticket = { state: 'dispatched', channel: 'sms', department: 'water', priority: 'normal', assignee: null, due_at: '2026-11-22T02:00:00Z' } as Summary;
  const now = Date.parse('2026-11-22T03:00:00Z');
  it.each([
    [{}, true],
    [{ view: 'closed' }, false],
    [{ state: 'triage' }, false],
    [{ channel: 'sms', department: 'water', priority: 'normal' }, true],
    [{ department: 'parks' }, false],
    [{ view: 'unassigned' }, true],
    [{ view: 'mine' }, false],
    [{ view: 'overdue' }, true],
  ])('%j: %s', (query, expected) => {
    expect(belongs(filtersOf(query), ticket, 'staff:1', now)).toBe(expected);
  });
});

it.each([
  ['2611220000013', '2611220000013'],
  ['261122 000001 3', '2611220000013'],
  ['13800138000', undefined],
  ['light', undefined],
])('%s as a number: %s', (text, number) => expect(numberIn(text)).toBe(number));

it.each([
  ['13800138000', true],
  ['+86 138-0013-8000', true],
  ['li@city.test', true],
  ['2611220000013', false],
  ['No. 100', false],
])('%s is a contact: %s', (text, expected) => expect(isContact(text)).toBe(expected));
