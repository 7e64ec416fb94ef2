"""Parse a document as graphql-ruby does: it takes empty selections, and has its own words for what it does not take."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from graphql import GraphQLSyntaxError
from graphql.language import DocumentNode, SelectionSetNode, Token, TokenKind, ValueNode
from graphql.language.parser import Parser

KEYWORDS = {
    "on", "fragment", "true", "false", "null", "query", "mutation", "subscription", "schema", "scalar", "type",
    "extend", "implements", "interface", "union", "enum", "input", "directive", "repeatable",
}  # fmt: skip
DEFINITIONS = "one of SCHEMA, SCALAR, TYPE, ENUM, INPUT, UNION, INTERFACE"
TOKENS = {
    TokenKind.NAME: "NAME", TokenKind.BRACE_L: "LCURLY", TokenKind.BRACE_R: "RCURLY", TokenKind.PAREN_L: "LPAREN",
    TokenKind.PAREN_R: "RPAREN", TokenKind.BRACKET_L: "LBRACKET", TokenKind.BRACKET_R: "RBRACKET",
    TokenKind.COLON: "COLON", TokenKind.DOLLAR: "VAR_SIGN", TokenKind.AT: "DIR_SIGN", TokenKind.EQUALS: "EQUALS",
    TokenKind.BANG: "BANG", TokenKind.PIPE: "PIPE", TokenKind.AMP: "AMP", TokenKind.SPREAD: "ELLIPSIS",
    TokenKind.INT: "INT", TokenKind.FLOAT: "FLOAT", TokenKind.STRING: "STRING", TokenKind.BLOCK_STRING: "STRING",
}  # fmt: skip
VALUES = {
    TokenKind.NAME, TokenKind.BRACKET_L, TokenKind.BRACE_L, TokenKind.DOLLAR, TokenKind.INT, TokenKind.FLOAT,
    TokenKind.STRING, TokenKind.BLOCK_STRING,
}  # fmt: skip


def parse_document(text: str) -> DocumentNode:
    """Parse a document.

    :raises GraphQLSyntaxError: if it is none; its message and place are the API's
    """
    return _Parser(text).parse_document()


def syntax_error(problem: GraphQLSyntaxError) -> dict[str, Any]:
    """Return a syntax error as the API shows it: without a code, and without a place if there is nothing at all."""
    message = problem.message.removeprefix("Syntax Error: ")
    if message == "Unexpected end of document":
        return {"message": message, "locations": []}
    if message.startswith("Unterminated string"):
        message = "Expected string or block string, but it was malformed"
    return {"message": message, "locations": [place.formatted for place in problem.locations or ()]}


class _Parser(Parser):
    def parse_document(self) -> DocumentNode:
        if self._lexer.lookahead().kind is TokenKind.EOF:
            raise GraphQLSyntaxError(self._lexer.source, 0, "Unexpected end of document")
        return super().parse_document()

    def parse_selection_set(self) -> SelectionSetNode:
        start = self._lexer.token
        selections = self.any(TokenKind.BRACE_L, self.parse_selection, TokenKind.BRACE_R)
        return SelectionSetNode(selections=selections, loc=self.loc(start))

    def parse_value_literal(self, is_const: bool) -> ValueNode:
        if self._lexer.token.kind not in VALUES:
            self._refuse("VALUE", self._lexer.token)
        return super().parse_value_literal(is_const)

    def expect_token(self, kind: TokenKind) -> Token:
        if self._lexer.token.kind is not kind:
            self._refuse(TOKENS.get(kind, kind.value), self._lexer.token)
        return super().expect_token(kind)

    def expect_keyword(self, value: str) -> None:
        if self._lexer.token.value != value:
            self._refuse(value.upper(), self._lexer.token)
        super().expect_keyword(value)

    def unexpected(self, at_token: Token | None = None) -> GraphQLSyntaxError:
        self._refuse(DEFINITIONS, at_token or self._lexer.token)

    def _refuse(self, expected: str, token: Token) -> NoReturn:
        """Raise the error of a token that is not what is expected; the end of a text is named at its last token."""
        name, shown, place = self._name(token), _shown(token), token
        if token.kind is TokenKind.EOF:
            place = _previous(token)
            shown = self._lexer.source.body[place.end :]
        quoted = json.dumps(shown, ensure_ascii=False)
        message = f"Expected {expected}, actual: {name} ({quoted}) at [{place.line}, {place.column}]"
        raise GraphQLSyntaxError(self._lexer.source, place.start, message)

    def _name(self, token: Token) -> str:
        if token.kind is TokenKind.NAME:
            return str(token.value).upper() if token.value in KEYWORDS else "IDENTIFIER"
        return TOKENS.get(token.kind, "(none)")


def _previous(token: Token) -> Token:
    before = token.prev or token
    return _previous(before) if before.kind is TokenKind.COMMENT else before


def _shown(token: Token) -> str:
    return token.value if token.value is not None else token.kind.value
