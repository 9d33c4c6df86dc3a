// What every journey through the staff console shares: a browser, people who log in, axe over states and themes, and a
// record of everything that went wrong.
//
// A journey is an async function of {base, given, staff, open, judge} whose result is printed as one JSON line, together
// with `violations` (axe) and `errors` (console, page, failed requests, content security policy). BASE_URL is the hub's
// address, ARGUMENTS the journey's argument as JSON; `staff` of it are the logins of `demo-credentials.json`.
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];
const TIMEOUT_MS = 30_000;

/** Width and height of the screens that count. */
export const SCREENS = {
  phone: { width: 360, height: 780 },
  tablet: { width: 1024, height: 768 },
  desk: { width: 1440, height: 900 },
};

export async function journey(steps) {
  const base = process.env.BASE_URL;
  const given = JSON.parse(process.env.ARGUMENTS ?? '{}');
  const errors = [];
  const violations = [];
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

  /** A browser of one person, in a language and theme of theirs. `expected` matches errors that the journey provokes. */
  async function open({ screen = SCREENS.desk, language = 'zh-CN', theme = 'light', density = 'standard', expected = [], zone } = {}) {
    const context = await browser.newContext({ viewport: screen, locale: language, timezoneId: zone, reducedMotion: 'reduce' });
    context.setDefaultTimeout(TIMEOUT_MS);
    await context.addInitScript(
      ([kept]) => {
        // A sandboxed frame, such as a mail's, has no storage.
        if (window !== window.top) return;
        // Only where nothing has been chosen yet, so that a journey can choose otherwise.
        if (!localStorage.getItem('yingda.settings')) localStorage.setItem('yingda.settings', kept);
        addEventListener('securitypolicyviolation', (event) => {
          console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
        });
      },
      [JSON.stringify({ language, theme, density })],
    );
    const page = await context.newPage();
    const note = (text) => {
      if (!expected.some((pattern) => pattern.test(text))) errors.push(text);
    };
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') note(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => note(`page: ${error.message}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(base) && !/^(blob|data):/.test(request.url())) note(`request leaves the hub: ${request.url()}`);
    });
    page.on('requestfailed', (request) => {
      // A page that is left drops its requests.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') note(`request: ${request.url()} ${request.failure()?.errorText}`);
    });
    return page;
  }

  /** The first login of a role; of a department where it is named. */
  function staff(role, department) {
    const found = given.staff.find((member) => member.role === role && (department === undefined || member.department === department));
    if (!found) throw new Error(`there is no ${role} ${department ?? ''}`);
    return found;
  }

  /** Runs axe over the page as it stands. */
  async function judge(page, where) {
    const { violations: found } = await new AxeBuilder({ page }).withTags(RULES).analyze();
    for (const { id, impact, nodes } of found) {
      violations.push(`${where}: ${id} (${impact}) ${nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).join(', ')}`);
    }
  }

  try {
    const result = await steps({ base, given, staff, open, judge, errors });
    process.stdout.write(`${JSON.stringify({ ...result, violations, errors })}\n`);
  } catch (thrown) {
    // What was on the screen says more than the line that waited for it.
    const pages = given.screenshots ? browser.contexts().flatMap((context) => context.pages()) : [];
    await Promise.all(pages.map((page, index) => page.screenshot({ path: `${given.screenshots}/failed-${index}.png` }).catch(() => undefined)));
    process.stderr.write(`${errors.join('\n')}\n`);
    throw thrown;
  } finally {
    await browser.close();
  }
}

/** Logs somebody in at the login page, by keyboard, and waits for the shell. */
export async function logIn(page, base, { login, password }, to = '') {
  await page.goto(`${base}/console/login${to ? `?to=${encodeURIComponent(to)}` : ''}`);
  await page.locator('input[name="login"]').fill(login);
  await page.locator('input[name="password"]').fill(password);
  await page.keyboard.press('Enter');
  await page.locator('nav a[aria-current="page"], nav a').first().waitFor();
}

/** Switches the theme as the system would, without a reload. */
export async function theme(page, name) {
  await page.evaluate((dark) => document.documentElement.classList.toggle('dark', dark), name === 'dark');
}
