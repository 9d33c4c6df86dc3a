// What every browser journey shares: Chromium from the system, a record of errors, axe.
//
// A journey is an async function of {page, base, given, judge} whose result is printed as one JSON line, together with
// `violations` (axe, WCAG 2.2 A and AA) and `errors` (console errors, page errors, failed requests, CSP violations).
// BASE_URL is the hub's address, ARGUMENTS the journey's argument as JSON.
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];
const TIMEOUT_MS = 30_000;

export async function journey(steps, { javascript = true } = {}) {
  const base = process.env.BASE_URL;
  const given = JSON.parse(process.env.ARGUMENTS ?? '{}');
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const context = await browser.newContext({
      locale: given.locale ?? 'zh-CN',
      viewport: given.viewport ?? { width: 1280, height: 800 },
    });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    const errors = [];
    const violations = [];
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => errors.push(`page: ${error.message}`));
    page.on('requestfailed', (request) => errors.push(`request: ${request.url()} ${request.failure()?.errorText}`));

    // A page parsed without scripts stays as it is when they are allowed for axe, which is one.
    const devtools = await context.newCDPSession(page);
    const scripts = (allowed) => devtools.send('Emulation.setScriptExecutionDisabled', { value: !allowed });
    await scripts(javascript);

    const judge = async (where) => {
      await scripts(true);
      const { violations: found } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
      await scripts(javascript);
      for (const { id, impact, nodes } of found) {
        violations.push(`${where}: ${id} (${impact}) ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
      }
    };
    const result = await steps({ page, base, given, judge });
    process.stdout.write(`${JSON.stringify({ ...result, violations, errors })}\n`);
  } finally {
    await browser.close();
  }
}
