import type { RouteRecordRaw } from 'vue-router';

import { useSession } from '@/session/store';

export default [
  {
    // Where a ticket stands for whoever follows a link: in the inbox of a department, in the queue for everybody else.
    path: '/tickets/:number(\\d{13,18})',
    name: 'ticket',
    component: () => import('./TicketWork.vue'),
    meta: { title: 'ticket.title' },
    beforeEnter: ({ params: { number } }) => ({ name: useSession().role === 'handler' ? 'desk-ticket' : 'queue-ticket', params: { number } }),
  },
] satisfies RouteRecordRaw[];
