"""Many who ask the same share a question, and nobody gets an answer that is older than the call."""

from __future__ import annotations

import asyncio

import pytest

from streams.client.coalesced_request import CoalescedRequest


class Question:
    """Counts how often it is asked; each is answered with its number once `opened`."""

    def __init__(self) -> None:
        self.asked, self.at_once, self.opened = 0, 0, asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        self.at_once += 1
        assert self.at_once == 1
        number = self.asked
        await self.opened.wait()
        self.at_once -= 1
        return number


async def begun(question: Question, count: int) -> None:
    while question.asked < count:
        await asyncio.sleep(0)


def test_many_ask_then_two_questions_and_each_answer_is_younger_than_its_call() -> None:
    async def work() -> None:
        question = Question()
        shared = CoalescedRequest(question)
        early = [asyncio.create_task(shared.answer()) for _ in range(100)]
        await begun(question, 1)
        late = [asyncio.create_task(shared.answer()) for _ in range(100)]
        question.opened.set()
        assert set(await asyncio.gather(*early)) == {1}
        assert set(await asyncio.gather(*late)) == {2}
        assert await shared.answer() == 3

    asyncio.run(work())


def test_a_question_that_fails_then_those_who_ask_hear_it_and_the_next_one_is_asked() -> None:
    async def work() -> None:
        answers = iter((0, 7))

        async def ask() -> int:
            return 7 * 7 // next(answers)

        shared = CoalescedRequest(ask)
        with pytest.raises(ZeroDivisionError):
            await shared.answer()
        assert await shared.answer() == 7

    asyncio.run(work())
