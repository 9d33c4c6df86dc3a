import type { Schema } from './client';

type Detail = Schema<'ErrorDetail'>;

/** A request that did not succeed: the hub's code, or `offline`. */
export class Failure extends Error {
  constructor(
    /** `offline`, a code of the hub's error envelope, or `http_STATUS` when something else answered. */
    readonly code: string,
    /** The HTTP status; 0 without an answer. */
    readonly status: number,
    /** The hub's own words (English, for programs); people are shown the catalogue's. */
    message: string,
    /** Further fields of the envelope, such as `version` and `changes` of a conflict. */
    readonly detail: Partial<Detail> = {},
    /** After how many seconds the hub wants to be asked again. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = 'Failure';
  }

  static offline(cause: unknown): Failure {
    return new Failure('offline', 0, cause instanceof Error ? cause.message : String(cause));
  }

  static of(response: Response, body: unknown): Failure {
    const detail = (body as { error?: Partial<Detail> } | undefined)?.error;
    const seconds = Number(response.headers.get('Retry-After'));
    return new Failure(
      detail?.code ?? `http_${response.status}`,
      response.status,
      detail?.message ?? response.statusText,
      detail,
      seconds > 0 ? seconds : null,
    );
  }

  /** Whatever was thrown, as a failure. */
  static from(thrown: unknown): Failure {
    return thrown instanceof Failure ? thrown : new Failure('internal', 0, thrown instanceof Error ? thrown.message : String(thrown));
  }

  /** Somebody else changed the ticket meanwhile; `detail` tells version, state, moves and events. */
  get isConflict(): boolean {
    return this.status === 409 && (this.code === 'changed' || this.code === 'illegal_move');
  }
}
