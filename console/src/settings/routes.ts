import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/me',
    name: 'settings',
    component: () => import('./SettingsPage.vue'),
    meta: { title: 'settings.title', nav: { icon: 'me', letter: 'm' } },
  },
] satisfies RouteRecordRaw[];
