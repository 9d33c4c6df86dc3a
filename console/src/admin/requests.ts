// What the administration asks of the hub.
import { api, call, type Schema } from '@/api/client';

export type Member = Schema<'StaffView'>;
export type Token = Schema<'TokenView'>;
export type RuleSet = Schema<'RuleSetView'>;
export const ROLES = ['agent', 'handler', 'supervisor', 'admin'] as const;
export type Role = Schema<'Role'>;

export const staff = (signal?: AbortSignal): Promise<Member[]> => call(api.GET('/api/v1/staff', { signal })).then(({ items }) => items);
export const addMember = (body: Schema<'NewStaffBody'>): Promise<unknown> => call(api.POST('/api/v1/staff', { body }));
export const changeMember = (id: string, body: Schema<'StaffPatch'>): Promise<unknown> =>
  call(api.PATCH('/api/v1/staff/{id}', { params: { path: { id } }, body }));

export const tokens = (signal?: AbortSignal): Promise<Token[]> => call(api.GET('/api/v1/tokens', { signal })).then(({ items }) => items);
export const issue = (body: Schema<'NewToken'>): Promise<Schema<'Issued'>> => call(api.POST('/api/v1/tokens', { body }));
export const revoke = (id: string): Promise<unknown> => call(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } }));

export const ruleSets = (signal?: AbortSignal): Promise<RuleSet[]> => call(api.GET('/api/v1/rule-sets', { signal })).then(({ items }) => items);
export const publish = (id: number): Promise<RuleSet> => call(api.POST('/api/v1/rule-sets/{id}/publish', { params: { path: { id } } }));
export const rollBack = (id: number): Promise<RuleSet> => call(api.POST('/api/v1/rule-sets/{id}/rollback', { params: { path: { id } } }));

export type Account = Schema<'ChannelView'>;
export type Tested = Schema<'Tested'>;

export const accounts = (signal?: AbortSignal): Promise<Account[]> => call(api.GET('/api/v1/channels', { signal })).then(({ items }) => items);
export const test = (id: string): Promise<Tested> => call(api.POST('/api/v1/channels/{id}/test', { params: { path: { id } } }));

export interface Sought {
  subject: string;
  actor: string;
  action: string;
  from: string;
  until: string;
}

export type Audited = Schema<'AuditView'>;

export function audit(sought: Sought, after: string | undefined, signal: AbortSignal): Promise<Schema<'Page_AuditView'>> {
  // A day that was chosen is a day of this browser's clock; the hub is told the moment.
  const moment = (day: string): string | undefined => (day ? new Date(`${day}T00:00:00`).toISOString() : undefined);
  const query = {
    subject: sought.subject.trim() || undefined,
    actor: sought.actor.trim() || undefined,
    action: sought.action.trim() || undefined,
    from: moment(sought.from),
    until: moment(sought.until),
    after,
  };
  return call(api.GET('/api/v1/audit', { params: { query }, signal }));
}
