import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/tickets/:number',
    name: 'ticket',
    component: () => import('./TicketPage.vue'),
    meta: { title: 'ticket.title' },
  },
] satisfies RouteRecordRaw[];
