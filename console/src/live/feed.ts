// The client of the feed: a websocket from the last position on, and the pages of `/events` for what a disconnect or a gap
// left out. Everybody who listens gets every event once and in order.
import { judge, waitMs, type FeedEvent } from './sequence';

/** What the socket carries: events in order, and how far the hub has told this reader. */
interface Frame {
  events: FeedEvent[];
  position: number;
  /** Said once, when everything up to now has been told. */
  live?: boolean;
}

export interface Door {
  /** Opens the websocket after a position. */
  open: (after: number) => WebSocket;
  /** A page of events after a position, empty at the end. */
  page: (after: number) => Promise<FeedEvent[]>;
  /** The newest position there is. */
  newest: () => Promise<number>;
  /** Runs later; returns how to cancel. */
  later: (run: () => void, ms: number) => () => void;
  chance: () => number;
}

export interface Listener {
  event: (event: FeedEvent) => void;
  live: (isLive: boolean) => void;
  /** The hub refused: the session may have ended. */
  refused: () => void;
}

/** The websocket's close code for a session or token that is no longer good. */
const POLICY = 1008;

/** The hub says something every 20 s: silence of this length means that the connection is dead, whatever the socket believes. */
export const SILENCE_MS = 45_000;

export class Feed {
  /** The last position that was handed on; undefined before the first connection. */
  position: number | undefined;
  private socket: WebSocket | undefined;
  private attempt = 0;
  private cancel: (() => void) | undefined;
  private endWatch: (() => void) | undefined;
  private stopped = true;
  private catching = false;
  private waiting: FeedEvent[] = [];

  constructor(
    private readonly door: Door,
    private readonly listener: Listener,
    /** Whether the reader sees the events of every ticket. */
    private readonly seesAll: boolean,
  ) {}

  start(): void {
    this.stopped = false;
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
    this.leave();
  }

  /** Something says that the hub cannot be reached: what is shown counts as old until a new connection has caught up. */
  doubt(): void {
    if (this.stopped || !this.socket) return;
    this.leave();
    this.again();
  }

  /** Tries at once instead of after the wait, for instance when the browser is online again. */
  hurry(): void {
    if (this.stopped || this.socket) return;
    this.cancel?.();
    this.attempt = 0;
    void this.connect();
  }

  private async connect(): Promise<void> {
    this.cancel = undefined;
    try {
      // What happens before the first connection is in the lists that pages fetch.
      this.position ??= await this.door.newest();
      // A socket is only called live when all that was missed is here.
      await this.catchUp();
    } catch {
      this.again();
      return;
    }
    if (this.stopped) return;
    const socket = (this.socket = this.door.open(this.position));
    this.watch();
    socket.onmessage = (message) => {
      if (this.socket === socket) this.read(JSON.parse(message.data as string) as Frame);
    };
    socket.onclose = (closed) => {
      if (this.socket !== socket) return;
      this.leave();
      if (closed.code === POLICY) this.listener.refused();
      this.again();
    };
  }

  private watch(): void {
    this.endWatch?.();
    this.endWatch = this.door.later(() => this.doubt(), SILENCE_MS);
  }

  /** Lets go of the socket. A dead one takes its time to close and is not waited for. */
  private leave(): void {
    this.endWatch?.();
    this.endWatch = undefined;
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  private read({ events, position, live }: Frame): void {
    this.watch();
    events.forEach((event) => this.take(event));
    // Between the events of a department there are those of others.
    if (!this.catching && !this.seesAll) this.position = Math.max(this.position ?? 0, position);
    if (live) {
      this.attempt = 0;
      this.listener.live(true);
    }
  }

  private again(): void {
    if (this.stopped) return;
    this.listener.live(false);
    this.cancel = this.door.later(() => void this.connect(), waitMs(this.attempt, this.door.chance()));
    this.attempt += 1;
  }

  /** Takes an event of the socket. While a gap is filled, later ones wait in line. */
  private take(event: FeedEvent): void {
    if (this.catching) {
      this.waiting.push(event);
      return;
    }
    switch (judge(this.position ?? 0, event.position, this.seesAll)) {
      case 'seen':
        return;
      case 'next':
        this.hand(event);
        return;
      case 'gap':
        this.waiting.push(event);
        void this.fill();
    }
  }

  private async fill(): Promise<void> {
    this.catching = true;
    try {
      await this.catchUp();
    } catch {
      // What is missing is asked for again after the reconnect.
      this.waiting = [];
      this.catching = false;
      this.doubt();
      return;
    }
    this.catching = false;
    const waiting = this.waiting;
    this.waiting = [];
    // The pages hold all there is: a position that is still missing was never given to an event.
    for (const event of waiting) if (event.position > (this.position ?? 0)) this.hand(event);
  }

  private async catchUp(): Promise<void> {
    for (;;) {
      const page = await this.door.page(this.position ?? 0);
      for (const event of page) if (event.position > (this.position ?? 0)) this.hand(event);
      if (page.length === 0) return;
    }
  }

  private hand(event: FeedEvent): void {
    this.position = event.position;
    this.listener.event(event);
  }
}
