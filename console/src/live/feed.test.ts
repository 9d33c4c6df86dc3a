import { describe, expect, it } from 'vitest';

import { Feed, SILENCE_MS } from './feed';
import { newestPosition } from './newest';
import { judge, waitMs, type FeedEvent } from './sequence';

const event = (position: number): FeedEvent => ({ position, kind: 'opened', ticket: String(position), state: null, department: null, at: '2026-11-22T02:00:00Z' });

class Socket {
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((closed: { code: number }) => void) | null = null;
  closed = false;

  constructor(readonly after: number) {}

  /** One frame with events. */
  send(...positions: number[]): void {
    this.frame({ events: positions.map(event), position: positions.at(-1) ?? 0 });
  }

  /** Everything up to a position has been told. */
  live(position: number): void {
    this.frame({ events: [], position, live: true });
  }

  frame(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  close(): void {
    this.closed = true;
    this.onclose?.({ code: 1006 });
  }
}

/** A hub with so many events, and a console that follows it. */
function follow({ events = 0, seesAll = true } = {}) {
  const hub = { events, away: false, sockets: [] as Socket[], later: [] as (() => void)[], silence: [] as (() => void)[], heard: [] as number[], live: [] as boolean[], refused: 0 };
  const feed = new Feed(
    {
      open: (after) => {
        const socket = new Socket(after);
        hub.sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      page: (after) => {
        if (hub.away) return Promise.reject(new TypeError('failed to fetch'));
        return Promise.resolve(Array.from({ length: Math.min(2, Math.max(0, hub.events - after)) }, (_, index) => event(after + 1 + index)));
      },
      newest: () => (hub.away ? Promise.reject(new TypeError('failed to fetch')) : Promise.resolve(hub.events)),
      later: (run, ms) => {
        const line = ms === SILENCE_MS ? hub.silence : hub.later;
        line.push(run);
        return () => void (line.includes(run) && line.splice(line.indexOf(run), 1));
      },
      chance: () => 0,
    },
    { event: ({ position }) => hub.heard.push(position), live: (live) => hub.live.push(live), refused: () => (hub.refused += 1) },
    seesAll,
  );
  return { hub, feed };
}

/** Lets everything that has been promised happen. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe('the feed', () => {
  it('begins at the newest position and hands on each event once', async () => {
    const { hub, feed } = follow({ events: 40 });
    feed.start();
    await settled();
    const [socket] = hub.sockets;
    expect(hub.live).toEqual([]);
    socket?.live(40);
    socket?.send(41, 42, 42, 41, 43);
    expect(socket?.after).toBe(40);
    expect(hub.heard).toEqual([41, 42, 43]);
    expect(hub.live).toEqual([true]);
  });

  it('catches up by pages after a disconnect, then goes on live', async () => {
    const { hub, feed } = follow({ events: 3 });
    feed.start();
    await settled();
    hub.sockets[0]?.live(3);
    hub.sockets[0]?.send(4);
    hub.events = 10;
    hub.away = true;
    hub.sockets[0]?.close();
    expect(hub.live).toEqual([true, false]);
    hub.later.shift()?.();
    await settled();
    expect(hub.sockets).toHaveLength(1);
    hub.away = false;
    hub.later.shift()?.();
    await settled();
    hub.sockets[1]?.live(10);
    hub.sockets[1]?.send(10, 11);
    expect(hub.heard).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(hub.live.at(-1)).toBe(true);
  });

  it('fetches what a gap left out before it hands on what came after', async () => {
    const { hub, feed } = follow();
    feed.start();
    await settled();
    hub.events = 6;
    hub.sockets[0]?.send(1, 5, 6);
    expect(hub.heard).toEqual([1]);
    await settled();
    hub.sockets[0]?.send(7);
    expect(hub.heard).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('connects anew when a gap cannot be filled', async () => {
    const { hub, feed } = follow();
    feed.start();
    await settled();
    hub.away = true;
    hub.sockets[0]?.send(3);
    await settled();
    expect(hub.sockets[0]?.closed).toBe(true);
    expect(hub.heard).toEqual([]);
    Object.assign(hub, { away: false, events: 3 });
    hub.later.shift()?.();
    await settled();
    expect(hub.heard).toEqual([1, 2, 3]);
  });

  it('takes the gaps of a department for what they are', async () => {
    const { hub, feed } = follow({ seesAll: false });
    feed.start();
    await settled();
    hub.sockets[0]?.send(2, 9);
    expect(hub.heard).toEqual([2, 9]);
  });

  it('does not ask again for what a department was not told', async () => {
    const { hub, feed } = follow({ seesAll: false });
    feed.start();
    await settled();
    hub.sockets[0]?.frame({ events: [event(2)], position: 80 });
    hub.sockets[0]?.close();
    hub.later.shift()?.();
    await settled();
    expect(hub.sockets[1]?.after).toBe(80);
  });

  it.each(['silence', 'a request that did not reach the hub'])('is no longer live after %s, though the socket says nothing', async (reason) => {
    const { hub, feed } = follow({ events: 3 });
    feed.start();
    await settled();
    hub.sockets[0]?.live(3);
    hub.sockets[0]?.frame({ events: [], position: 3 });
    expect(hub.silence).toHaveLength(1);
    if (reason === 'silence') hub.silence[0]?.();
    else feed.doubt();
    expect([hub.live, hub.sockets[0]?.closed, hub.silence]).toEqual([[true, false], true, []]);
    // What the old socket still says is not listened to.
    hub.sockets[0]?.send(4);
    hub.events = 5;
    hub.later.shift()?.();
    await settled();
    hub.sockets[1]?.live(5);
    expect([hub.heard, hub.live.at(-1)]).toEqual([[4, 5], true]);
  });

  it('asks for the session when the hub ends the connection for it', async () => {
    const { hub, feed } = follow();
    feed.start();
    await settled();
    hub.sockets[0]?.onclose?.({ code: 1008 });
    expect(hub.refused).toBe(1);
  });

  it('stays away after it was stopped', async () => {
    const { hub, feed } = follow();
    feed.start();
    await settled();
    feed.stop();
    feed.hurry();
    await settled();
    expect(hub.sockets).toHaveLength(1);
    expect([hub.later, hub.silence]).toEqual([[], []]);
  });
});

it('judges positions', () => {
  expect([judge(5, 5, true), judge(5, 6, true), judge(5, 7, true), judge(5, 7, false), judge(5, 1, false)]).toEqual(['seen', 'next', 'gap', 'next', 'seen']);
});

it('waits longer each time, never above half a minute, spread by chance', () => {
  expect([0, 1, 2, 20].map((attempt) => waitMs(attempt, 1))).toEqual([500, 1000, 2000, 30_000]);
  expect(waitMs(3, 0)).toBe(2000);
});

it.each([0, 1, 2, 1023, 1024, 1025, 8191, 123_456, 9_876_543])('finds the newest position %i in few questions', async (newest) => {
  let asked = 0;
  const found = await newestPosition((position) => {
    asked += 1;
    return Promise.resolve(position < newest);
  });
  expect(found).toBe(newest);
  expect(asked).toBeLessThan(40);
});
