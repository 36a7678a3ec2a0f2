"""Clients that others wrote, unmodified, behind one face: a talk in which a function may be called."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, NamedTuple, Protocol

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel, SecretStr

__all__ = ["CLIENTS", "INSTRUCTIONS", "WEATHER", "Connections", "OpenAI", "Person", "Said", "Talk"]

INSTRUCTIONS = "Be brief."
WEATHER = "Sunny in Paris"


class Person(BaseModel):
    name: str
    age: int


class Said(NamedTuple):
    """The end of a turn, after all calls."""

    text: str
    input_tokens: int


class Connections:
    """OpenAI's two clients, connected with a server: they are dear to make, and meant to be kept."""

    def __init__(self, address: str) -> None:
        self.url = f"{address}/v1"
        self.runner = asyncio.Runner()
        self.client = openai.OpenAI(base_url=self.url, api_key="none", max_retries=0)
        self.async_client = openai.AsyncOpenAI(base_url=self.url, api_key="none", max_retries=0)

    def close(self) -> None:
        self.client.close()
        self.runner.run(self.async_client.close())
        self.runner.close()


class Talk(Protocol):
    """A conversation with one model."""

    def __init__(self, connections: Connections, model: str, *, streamed: bool, effort: str) -> None: ...

    def say(self, text: str) -> Said:
        """Go on from what was said before, by the response's id; offer ``get_weather``."""

    def parse(self, text: str) -> Person:
        """Ask for a person, in a talk of its own."""


# ---- openai -----------------------------------------------------------------------------------------------


class OpenAI:
    """Both of OpenAI's clients: what can be awaited is awaited."""

    _TOOL = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }

    def __init__(
        self, connections: Connections, model: str, *, streamed: bool = False, effort: str = "none"
    ) -> None:
        self._runner = connections.runner
        self.client = self._choose(connections)
        self.responses = self.client.responses
        self.model = model
        self._streamed = streamed
        self._last: str | None = None
        self._options = {
            "model": model,
            "instructions": INSTRUCTIONS,
            "reasoning": {"effort": effort, "summary": "auto"},
            "tools": [self._TOOL],
        }

    def __call__(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client; return its result, a stream's as the list of its events."""
        return self._runner.run(self._result(method(*arguments, **options)))

    def say(self, text: str) -> Said:
        given: Any = text
        while True:
            response = self._ask(given)
            response.model_dump(mode="json")
            self._last = response.id
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return Said(response.output_text, response.usage.input_tokens)
            given = [
                {"type": "function_call_output", "call_id": call.call_id, "output": WEATHER} for call in calls
            ]

    def _ask(self, given: Any) -> Any:
        asked = {**self._options, "input": given, "previous_response_id": self._last}
        if not self._streamed:
            return self(self.responses.create, **asked)
        if self._last is None:
            return self.final(self.responses.stream(**{**asked, "previous_response_id": openai.omit}))
        events = self(self.responses.create, **asked, stream=True)
        for event in events:
            event.model_dump(mode="json")
        return events[-1].response

    def parse(self, text: str) -> Person:
        asked = {"model": self.model, "input": text, "text_format": Person}
        if self._streamed:
            parsed = self.final(self.responses.stream(**asked))
        else:
            parsed = self(self.responses.parse, **asked)
        person: Person = parsed.output_parsed
        return person

    def final(self, manager: Any) -> Any:
        """Read ``responses.stream`` to its end; return the final response."""
        if hasattr(manager, "__enter__"):
            with manager as stream:
                for _ in stream:
                    pass
                return stream.get_final_response()

        async def read() -> Any:
            async with manager as stream:
                async for _ in stream:
                    pass
                return await stream.get_final_response()

        return self._runner.run(read())

    def first(self, count: int, **asked: Any) -> list[Any]:
        """Read so many events of a stream, then leave."""
        return self._runner.run(self._first(count, self.responses.create(**asked, stream=True)))

    @staticmethod
    def _choose(connections: Connections) -> Any:
        return connections.client

    @staticmethod
    async def _result(result: Any) -> Any:
        result = await result if inspect.isawaitable(result) else result
        if isinstance(result, openai.Stream):
            return list(result)
        if isinstance(result, openai.AsyncStream):
            return [event async for event in result]
        return result

    @staticmethod
    async def _first(count: int, stream: Any) -> list[Any]:
        stream = await stream if inspect.isawaitable(stream) else stream
        if isinstance(stream, openai.Stream):
            with stream:
                return [event for _, event in zip(range(count), stream, strict=False)]
        events: list[Any] = []
        async with stream:
            async for event in stream:
                events.append(event)
                if len(events) == count:
                    break
        return events


class AsyncOpenAI(OpenAI):
    @staticmethod
    def _choose(connections: Connections) -> Any:
        return connections.async_client


# ---- openai-agents ----------------------------------------------------------------------------------------


class Agents:
    """Agents of OpenAI's SDK: within a run it sends all items itself, from run to run the response's id."""

    def __init__(self, connections: Connections, model: str, *, streamed: bool, effort: str) -> None:
        self._runner = connections.runner
        self._model = OpenAIResponsesModel(model, connections.async_client)
        self._streamed = streamed
        self._last: str | None = None
        reasoning = Reasoning.model_validate({"effort": effort, "summary": "auto"})
        self._agent = Agent(
            name="Meteorologist",
            instructions=INSTRUCTIONS,
            tools=[function_tool(get_weather)],
            model=self._model,
            model_settings=ModelSettings(reasoning=reasoning),
        )

    def say(self, text: str) -> Said:
        result = self._runner.run(self._run(self._agent, text, **self._state()))
        self._last = result.last_response_id
        return Said(result.final_output, result.raw_responses[-1].usage.input_tokens)

    def parse(self, text: str) -> Person:
        agent = Agent(name="Clerk", output_type=Person, model=self._model)
        person: Person = self._runner.run(self._run(agent, text)).final_output
        return person

    def _state(self) -> dict[str, Any]:
        return {"previous_response_id": self._last}

    async def _run(self, agent: Any, text: str, **state: Any) -> Any:
        quiet = RunConfig(tracing_disabled=True)
        if not self._streamed:
            return await Runner.run(agent, text, run_config=quiet, **state)
        result = Runner.run_streamed(agent, text, run_config=quiet, **state)
        async for _ in result.stream_events():
            pass
        return result


class AgentsWithSession(Agents):
    """The same, keeping its items in a conversation: it lists them all, and sends them all."""

    def __init__(self, connections: Connections, model: str, *, streamed: bool, effort: str) -> None:
        super().__init__(connections, model, streamed=streamed, effort=effort)
        self._session = OpenAIConversationsSession(openai_client=connections.async_client)

    def _state(self) -> dict[str, Any]:
        return {"session": self._session}


# ---- langchain-openai -------------------------------------------------------------------------------------


class LangChain:
    """LangChain's model: it keeps the messages and sends those since the last response."""

    by_id = True

    def __init__(self, connections: Connections, model: str, *, streamed: bool, effort: str) -> None:
        self._runner = connections.runner
        self._streamed = streamed
        self._model = ChatOpenAI(
            model=model,
            base_url=connections.url,
            api_key=SecretStr("none"),
            max_retries=0,
            use_responses_api=True,
            use_previous_response_id=self.by_id,
            output_version="responses/v1",
            reasoning={"effort": effort, "summary": "auto"},
        )
        self._messages: list[Any] = [SystemMessage(INSTRUCTIONS)]

    def say(self, text: str) -> Said:
        self._messages.append(HumanMessage(text))
        model = self._model.bind_tools([tool(get_weather)])
        while True:
            answer = self._ask(model)
            self._messages.append(answer)
            if not answer.tool_calls:
                return Said(answer.text, answer.usage_metadata["input_tokens"])
            self._messages += [ToolMessage(WEATHER, tool_call_id=call["id"]) for call in answer.tool_calls]

    def parse(self, text: str) -> Person:
        model: Any = self._model.with_structured_output(Person)
        person: Person = self._streams(model, text)[-1] if self._streamed else self._invokes(model, text)
        return person

    def _ask(self, model: Any) -> Any:
        if not self._streamed:
            return self._invokes(model, self._messages)
        first, *more = self._streams(model, self._messages)
        whole = sum(more, first)
        return AIMessage(**whole.model_dump(exclude={"type", "tool_call_chunks", "chunk_position"}))

    def _invokes(self, model: Any, given: Any) -> Any:
        return model.invoke(given)

    def _streams(self, model: Any, given: Any) -> list[Any]:
        return list(model.stream(given))


class AsyncLangChainWithoutIds(LangChain):
    """The same, awaited, and sending everything each time, as it does unless told otherwise."""

    by_id = False

    def _invokes(self, model: Any, given: Any) -> Any:
        return self._runner.run(model.ainvoke(given))

    def _streams(self, model: Any, given: Any) -> list[Any]:
        async def read() -> list[Any]:
            return [part async for part in model.astream(given)]

        return self._runner.run(read())


def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"Sunny in {city}"


CLIENTS: dict[str, type[Talk]] = {
    "openai": OpenAI,
    "openai-async": AsyncOpenAI,
    "agents": Agents,
    "agents-with-session": AgentsWithSession,
    "langchain": LangChain,
    "langchain-async-without-ids": AsyncLangChainWithoutIds,
}
