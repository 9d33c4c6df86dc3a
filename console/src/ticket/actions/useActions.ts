import { computed, ref } from 'vue';
import { useI18n } from 'vue-i18n';

import { Failure } from '@/api/failure';
import { useFailures } from '@/api/useFailures';
import { useOptimistic } from '@/api/useOptimistic';
import type { IconName } from '@/components/icons';
import { useNotices } from '@/components/notices';
import { useKeys } from '@/keys/useKeys';
import { useSession } from '@/session/store';

import { sign, take, undoClose, type Ticket, type Writing } from '../requests';
import type { OpenTicket } from '../useTicket';

/** Moves that ask something first. */
export type DialogKind = 'dispatch' | 'classify' | 'priority' | 'assign' | 'move' | 'close' | 'reopen';

export interface Action {
  id: string;
  label: () => string;
  keys?: string;
  icon?: IconName;
  /** Whether it stands as a button of its own rather than in the menu. */
  prominent?: boolean;
  enabled: () => boolean;
  run: () => void;
}

interface Ways {
  dialog: (kind: DialogKind, appeal?: string) => void;
  write: (writing: Writing) => void;
  next: () => void;
}

const UNDO_MS = 10_000;
const closed = ref<{ number: string; version: number; at: number }>();

/** A ticket was closed here just now: that can be undone for ten seconds. */
export function justClosed({ number, version }: Ticket): void {
  closed.value = { number, version, at: Date.now() };
}

const undoing = ref<() => void>();

/** Undoes the last closing, if there is time. */
export function undoClosing(): void {
  undoing.value?.();
}

/** Everything that can be done to a ticket, as buttons, keys and commands of the palette. */
export function useActions(open: OpenTicket, { dialog, write }: Ways): Action[] {
  const { t } = useI18n();
  const session = useSession();
  const notices = useNotices();
  const attempt = useOptimistic();
  const { explain } = useFailures();
  const isDesk = computed(() => session.role !== undefined && session.role !== 'handler');
  const ticket = (): Ticket | undefined => open.ticket.value;
  const can = (move: Ticket['moves'][number]): boolean => ticket()?.moves.includes(move) === true;
  const isOpen = (): boolean => ticket() !== undefined && ticket()?.state !== 'closed';

  async function act(what: string, change: (ticket: Ticket) => Ticket, send: () => Promise<Ticket>): Promise<void> {
    try {
      open.adopt(await attempt({ what, show: () => open.presume(change), send }));
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.isConflict) await open.conflict(failure);
    }
  }

  async function undo(): Promise<void> {
    const last = closed.value;
    closed.value = undefined;
    if (!last) return;
    try {
      const fresh = await undoClose(last.number, last.version);
      if (fresh.number === open.number) open.adopt(fresh);
      notices.add({ tone: 'done', text: t('ticket.undone', { number: last.number }) });
    } catch (thrown) {
      const { what, todo } = explain(thrown);
      notices.add({ tone: 'error', text: `${t('ticket.actions.undo_close')}: ${what}`, detail: todo });
    }
  }

  undoing.value = () => void undo();

  const actions: Action[] = [
    {
      id: 'ticket.take',
      label: () => t('ticket.actions.take'),
      keys: 'a',
      icon: 'me',
      prominent: true,
      enabled: () => isOpen() && ticket()?.assignee?.id !== session.me?.id,
      run: () =>
        void act(
          t('ticket.actions.take'),
          (shown) => ({ ...shown, assignee: { id: session.me?.id ?? '', name: session.me?.name ?? '' } }),
          () => take(open.number, open.seen.value),
        ),
    },
    { id: 'ticket.dispatch', label: () => t('ticket.actions.dispatch'), keys: 'd', icon: 'send', prominent: true, enabled: () => isDesk.value && can('dispatch'), run: () => dialog('dispatch') },
    {
      id: 'ticket.sign',
      label: () => t('ticket.actions.sign'),
      keys: 's',
      icon: 'check',
      enabled: () => session.role !== 'agent' && can('sign'),
      run: () => void act(t('ticket.actions.sign'), (shown) => ({ ...shown, state: 'signed' }), () => sign(open.number, open.seen.value)),
    },
    { id: 'ticket.reply', label: () => t('ticket.actions.reply'), keys: 'r', icon: 'edit', enabled: () => can('replies'), run: () => write('reply') },
    { id: 'ticket.question', label: () => t('ticket.actions.question'), keys: 'q', icon: 'info', enabled: () => can('replies'), run: () => write('question') },
    { id: 'ticket.note', label: () => t('ticket.actions.note'), keys: 'n', icon: 'lock', enabled: () => can('notes'), run: () => write('note') },
    { id: 'ticket.close', label: () => t('ticket.actions.close'), keys: 'e', icon: 'check', prominent: true, enabled: () => can('close'), run: () => dialog('close') },
    { id: 'ticket.reopen', label: () => t('ticket.actions.reopen'), keys: 'o', icon: 'refresh', prominent: true, enabled: () => isDesk.value && can('reopen'), run: () => dialog('reopen') },
    { id: 'ticket.classify', label: () => t('ticket.actions.classify'), keys: 'i', icon: 'edit', enabled: () => isDesk.value && isOpen(), run: () => dialog('classify') },
    { id: 'ticket.priority', label: () => t('ticket.actions.priority'), keys: 'p', icon: 'bolt', enabled: () => isDesk.value && isOpen(), run: () => dialog('priority') },
    { id: 'ticket.assign', label: () => t('ticket.actions.assign'), keys: 'shift+a', icon: 'me', enabled: isOpen, run: () => dialog('assign') },
  ];

  useKeys([
    ...actions.map(({ id, label, keys, enabled, run }) => ({ id, label, keys, enabled, run, group: () => t('ticket.title') })),
    {
      id: 'ticket.undo',
      label: () => t('ticket.actions.undo_close'),
      group: () => t('ticket.title'),
      keys: 'u',
      enabled: () => closed.value !== undefined && Date.now() - closed.value.at < UNDO_MS,
      run: () => void undo(),
    },
  ]);
  return actions;
}
