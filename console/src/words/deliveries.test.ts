import { expect, it } from 'vitest';

import { whyOf } from './deliveries';

const attempt = (outcome: string, report: string | null = null) => ({ id: '1', part: 1, account: 'demo', started_at: '', outcome, report });

it.each([
  ['queued', 'sms', null, [], 'cannot_send'],
  ['queued', 'sms', '2026-11-22T02:00:00Z', [], undefined],
  ['queued', 'sms', '2026-11-22T02:00:00Z', [attempt('transient')], 'delayed'],
  ['queued', 'phone', null, [], undefined],
  ['failed', 'sms', null, [attempt('transient'), attempt('permanent')], 'refused'],
  ['failed', 'sms', null, [attempt('accepted', 'failed')], 'not_delivered'],
  ['failed', 'sms', null, [attempt('transient')], 'given_up'],
  ['uncertain', 'sms', null, [attempt('uncertain')], 'uncertain'],
  ['delivered', 'sms', null, [attempt('accepted', 'delivered')], undefined],
])('says why %s by %s has not arrived', (state, channel, next_at, attempts, why) => {
  expect(whyOf({ state, channel, next_at, attempts })).toBe(why);
});
