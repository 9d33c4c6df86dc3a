// A ticket's less usual ways, each with its effect outside: another item found by pinyin initials, handed to a colleague, an
// answer from a template with a file, its preview, a delivery that is tried again and one that becomes a call, closed and
// reopened, appeals that belong elsewhere.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, other: another's, screenshots?: folder}; the gateway refuses
// the first two messages and from the fourth on. Returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn } from './harness.mjs';

const PHOTO = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from, other } = given;
  const look = async (page, name) => {
    await judge(page, name);
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name.replaceAll(' ', '-')}.png` });
  };
  await sms(base, secret, from, '西湖区文三路的路灯坏了，晚上很黑');

  const page = await open({ expected: [/status of 401/] });
  await logIn(page, base, staff('supervisor'), '/queue');
  await page.locator('[data-pane="1"] [data-row-focus]').first().click();
  const work = page.locator('[data-pane="2"]');
  const around = page.locator('[data-pane="3"]');
  const dialog = page.getByRole('dialog');
  const gone = (what) => what.waitFor({ state: 'detached' });
  const area = page.locator('[data-writing] textarea:not([readonly])');
  /** Presses a key that acts on the ticket: not before it is there, and not into a field. */
  const act = async (key) => {
    await work.locator('h2').waitFor();
    await page.keyboard.press('2');
    await page.waitForFunction(() => document.activeElement?.dataset.pane === '2');
    await page.keyboard.press(key);
  };
  /** Chooses in the dialog's first field by typing. */
  const choose = async (typed, name) => {
    await dialog.getByRole('combobox').first().fill(typed);
    await page.locator('[role="option"][data-highlighted]').filter({ hasText: name }).waitFor();
    await page.keyboard.press('Enter');
    await gone(dialog.locator('[aria-expanded="true"]'));
  };
  await page.waitForURL(/\/queue\/\d{13,}$/);
  const number = page.url().split('/').pop();

  // Another item, by the initials of its pinyin; it needs a reason, and says so where it is missing.
  await act('i');
  await choose('rq', '燃气');
  await page.keyboard.press('Control+Enter');
  await dialog.getByText('请填写原因').waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
  await look(page, 'classify');
  await page.keyboard.type('来电补充是燃气灯');
  await page.keyboard.press('Control+Enter');
  await gone(dialog);
  await around.getByText('燃气').first().waitFor();

  // To a colleague.
  await act('Shift+A');
  await choose('agent2', 'agent2');
  await look(page, 'assign');
  await page.keyboard.press('Control+Enter');
  await work.locator('header').getByText('→ agent2').waitFor();
  await gone(dialog);

  // An answer: the template is filled in with this ticket's item, a file goes with it, the preview is what leaves.
  await act('s');
  await work.locator('header').getByText('办理中').waitFor();
  await act('r');
  await area.waitFor();
  await page.waitForFunction(() => document.activeElement?.matches('[data-writing] textarea'));
  await page.keyboard.press('/');
  await dialog.locator('input').waitFor();
  await dialog.locator('input').fill('yxcxf');
  await page.locator('[role="option"]').filter({ hasText: '已现场修复' }).first().waitFor();
  await page.waitForFunction(() => document.querySelectorAll('[role="option"]').length === 1);
  await look(page, 'templates');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await gone(dialog);
  await page.waitForFunction(() => document.querySelector('[data-writing] textarea')?.value !== '');
  const template = await area.inputValue();
  await page.locator('[data-writing] input[type="file"]').setInputFiles({ name: 'repaired.png', mimeType: 'image/png', buffer: PHOTO });
  await page.locator('[data-writing]').getByRole('img', { name: 'repaired.png' }).waitFor();
  await page.locator('[data-writing]').getByRole('button', { name: '预览' }).click();
  await dialog.locator('ol li').first().waitFor();
  const preview = (await dialog.locator('ol li p:last-child').allInnerTexts()).join('');
  await look(page, 'preview');
  await page.keyboard.press('Escape');
  await gone(dialog);
  await page.locator('[data-draft]').getByText('草稿已保存').waitFor();
  await area.press('Control+Enter');
  await gone(page.locator('[data-writing]'));

  // The gateway has refused it for now: said in words, and tried again at once when asked to.
  await around.getByRole('tab', { name: /^发送/ }).click();
  const answers = around.locator('article').filter({ hasText: '答复' });
  await answers.first().getByText('暂时发不出，会自动重试').waitFor();
  await look(page, 'delivery delayed');
  await answers.first().getByRole('button', { name: '重新发送' }).click();
  await answers.first().getByText(/已发出|已送达/).waitFor();

  // Closed, and reopened because it is not mended.
  await act('e');
  await dialog.waitFor();
  await page.keyboard.press('Control+Enter');
  await work.locator('header').getByText('已归档').first().waitFor();
  await gone(dialog);
  await act('o');
  await dialog.locator('textarea').fill('市民来电：又灭了');
  await look(page, 'reopen');
  await page.keyboard.press('Control+Enter');
  await gone(work.locator('header').getByText('已归档'));
  await gone(dialog);

  // The next answer cannot leave either: an agent will call.
  await act('r');
  await area.fill('电工今晚再来检修。');
  await page.locator('[data-draft]').getByText('草稿已保存').waitFor();
  await area.press('Control+Enter');
  await gone(page.locator('[data-writing]'));
  await around.getByRole('tab', { name: /^发送/ }).click();
  await answers.first().getByText('暂时发不出，会自动重试').waitFor();
  await answers.first().getByRole('button', { name: '改为电话回复' }).click();
  await page.getByText('已转为电话回复任务').first().waitFor();

  // Two more messages of the citizen are about other things: one becomes a ticket, one goes to another.
  await sms(base, secret, other, '人民路的井盖不见了');
  const { items } = await page.evaluate(async () => (await fetch('/api/v1/tickets?order=newest')).json());
  const target = items.find(({ subject }) => subject.includes('井盖')).number;
  await sms(base, secret, from, '另外那件事也请看一下');
  await sms(base, secret, from, '上次说的那个也没好');
  const appeals = work.locator('[data-message="appeal"]');
  await appeals.filter({ hasText: '上次说的那个' }).waitFor();
  await appeals.filter({ hasText: '另外那件事' }).getByRole('button', { name: '移到其他工单' }).click();
  await dialog.waitFor();
  await look(page, 'move');
  await page.keyboard.press('Control+Enter');
  await gone(appeals.filter({ hasText: '另外那件事' }));
  await gone(dialog);
  await appeals.filter({ hasText: '上次说的那个' }).getByRole('button', { name: '移到其他工单' }).click();
  await dialog.locator('input').fill(target);
  await page.keyboard.press('Control+Enter');
  await gone(appeals.filter({ hasText: '上次说的那个' }));
  return { number, target, template, preview };
});
