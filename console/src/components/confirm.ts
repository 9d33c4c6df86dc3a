import { defineStore } from 'pinia';
import { shallowRef } from 'vue';

export interface Question {
  title: string;
  text: string;
  /** The word on the button that does it: "Discard message", never "OK". */
  action: string;
  danger?: boolean;
}

export const useConfirmation = defineStore('confirmation', () => {
  const question = shallowRef<Question>();
  let settle: (agreed: boolean) => void = () => undefined;

  function ask(asked: Question): Promise<boolean> {
    settle(false);
    question.value = asked;
    return new Promise((resolve) => (settle = resolve));
  }

  function answer(agreed: boolean): void {
    settle(agreed);
    settle = () => undefined;
    question.value = undefined;
  }

  return { question, ask, answer };
});

/** `if (await confirm({ title, text, action })) …` */
export function useConfirm(): (question: Question) => Promise<boolean> {
  return useConfirmation().ask;
}
