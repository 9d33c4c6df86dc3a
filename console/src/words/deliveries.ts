import type { Schema } from '@/api/client';

type Delivery = Pick<Schema<'DeliveryView'>, 'state' | 'channel' | 'next_at' | 'attempts'>;

/** Why something has not arrived, as a word of the catalogue (`words.why`); undefined when nothing is wrong. */
export type Why = 'cannot_send' | 'delayed' | 'refused' | 'not_delivered' | 'given_up' | 'uncertain';

export function whyOf({ state, channel, next_at, attempts }: Delivery): Why | undefined {
  const last = attempts.at(-1);
  switch (state) {
    case 'queued':
      if (channel === 'phone') return undefined;
      if (!next_at) return 'cannot_send';
      return last?.outcome === 'transient' || last?.outcome === 'uncertain' ? 'delayed' : undefined;
    case 'failed':
      if (last?.outcome === 'permanent') return 'refused';
      return last?.report ? 'not_delivered' : 'given_up';
    case 'uncertain':
      return 'uncertain';
    default:
      return undefined;
  }
}
