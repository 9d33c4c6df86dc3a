import { describe, expect, it } from 'vitest';

import { changes, newerMessages } from './changes';
import type { Ticket } from './requests';

const ticket = (with_: Partial<Ticket>): Ticket => ({ state: 'signed', priority: 'normal', kind: 'help', appeals: [{ id: 'a' }], ...with_ }) as Ticket;

describe('what has changed', () => {
  it('names each field with who changed it', () => {
    const by = { id: 'staff:1', name: 'Li' };
    const told = [{ field: 'department', from: 'water', to: 'roads', by, at: '2026-11-22T10:00:00Z' }] as never;
    expect(changes(ticket({ department: 'water' }), ticket({ department: 'roads', state: 'dispatched' }), told)).toEqual([
      { field: 'state', from: 'signed', to: 'dispatched', by: null, at: null },
      { field: 'department', from: 'water', to: 'roads', by: 'Li', at: '2026-11-22T10:00:00Z' },
    ]);
  });

  it('is silent where nothing differs, and counts messages', () => {
    expect(changes(ticket({}), ticket({ version: 9 }))).toEqual([]);
    expect(newerMessages(ticket({}), ticket({ appeals: [{ id: 'a' }, { id: 'b' }] as never }))).toBe(1);
  });
});
