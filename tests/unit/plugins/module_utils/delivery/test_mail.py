# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The content of mails, in which nothing that people write can be more than text."""

from __future__ import annotations

import html
import re
import string
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import email_address
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import mail
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Notice, Sender, Template
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.words import WORDS
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"
SENDER = Sender(email_address.parse_mailbox("keys@example.com", "sender"))
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version", "Content-Type"}
ENDS = "2026-12-31T18:00:00Z"


def notice(kind: str = "approval", **more: Any) -> Notice:
    needed: dict[str, Any] = {"approval": {"value": KEY}, "expiry": {"expires": ENDS}}.get(kind, {})
    return Notice(**{"kind": kind, "to": "ada@example.com", "id": "4711", **needed, **more})


def read(mailed: mail.Mail) -> EmailMessage:
    message = message_from_bytes(mailed.data, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def parts(mailed: mail.Mail) -> tuple[str, str]:
    """Return text and HTML as a mail reader decodes them."""
    found = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in read(mailed).walk() if not part.is_multipart()}
    return found["text/plain"], found.get("text/html", "")


def compose(each: Notice, *templates: Template) -> mail.Mail:
    return mail.compose(each, SENDER, templates, NOW)


class Tags(HTMLParser):
    """All tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# ------------------------------------------------------------------------------------------------------------- words
def test_all_languages_have_the_same_words_with_the_same_places_to_fill_in() -> None:
    def shape(words: dict[str, str]) -> dict[str, set[str | None]]:
        return {name: {place for _text, place, _spec, _conversion in string.Formatter().parse(text)} for name, text in words.items()}

    assert {language: shape(words) for language, words in WORDS.items()} == dict.fromkeys(("en", "de", "es"), shape(WORDS["en"]))


def test_no_word_is_left_untranslated() -> None:
    for name, text in WORDS["en"].items():
        assert text not in (WORDS["de"][name], WORDS["es"][name]), name


# ----------------------------------------------------------------------------------------------------------- content
def test_an_approval_in_full() -> None:
    approval = notice(url="https://llm.example.com/v1", models=("granite", "mistral"), expires=ENDS, alias="virtkey-a", request_id="4711")
    text, page = parts(compose(approval))
    assert text == (
        "Hello,\n\n"
        "Your key for the language models is ready.\n\n"
        f"Key:             {KEY}\n"
        "Address:         https://llm.example.com/v1\n"
        "Models:          granite, mistral\n"
        "Ends:            2026-12-31 18:00 UTC\n"
        "Name of the key: virtkey-a\n"
        "Request:         4711\n\n"
        "Programs that speak OpenAI's interface need these two variables and no other change:\n\n"
        f"    export OPENAI_API_KEY='{KEY}'\n"
        "    export OPENAI_BASE_URL='https://llm.example.com/v1'\n\n"
        "The key is yours alone, and what it spends is on your account. Do not share it.\n\n"
        "This mail was written by a program.\n"
    )
    page_text = "".join(Tags(page).texts)
    for word in (KEY, "https://llm.example.com/v1", "granite, mistral", "2026-12-31 18:00 UTC", "export OPENAI_API_KEY="):
        assert word in page_text


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_a_mail_that_names_the_secret_of_a_key(language: str) -> None:
    words = WORDS[language]
    text, page = parts(compose(notice(value="", language=language, namespace="llm-keys", secret_name="llm-virtual-key-a", expires=ENDS)))
    for shown in (text, "".join(Tags(page).texts)):
        assert "sk-" not in shown and words["approval_elsewhere"] in shown and words["approval_secret"] in shown
        assert all(each in shown for each in (words["field_namespace"], words["field_secret"], "llm-keys", "2026-12-31 18:00 UTC"))
        assert "      name: llm-virtual-key-a" in shown


@pytest.mark.parametrize("language", ["en", "de", "es"])
@pytest.mark.parametrize("kind", ["approval", "denial", "review", "expiry"])
def test_every_kind_in_every_language(kind: str, language: str) -> None:
    sent = notice(
        kind,
        language=language,
        models=("granite",),
        reason="Too much.",
        purpose="A lab.",
        note="Ask us.",
        commands=("do it",),
        request_id="r1",
    )
    mailed = compose(sent)
    message = read(mailed)
    text, page = parts(mailed)
    assert message["Content-Language"] == language
    assert f'<html lang="{language}">' in page
    assert message["Subject"] == WORDS[language][kind].format(when="2026-12-31 18:00 UTC")
    for words in (text, "".join(Tags(page).texts)):
        assert WORDS[language][f"{kind}_intro"] in words
        assert "granite" in words
        assert "Ask us." in words
        assert ("Too much." in words) == (kind in ("denial", "review"))
        assert ("A lab." in words) == (kind == "review")
        assert ("do it" in words) == (kind in ("review", "expiry"))
        assert (KEY in words) == (kind == "approval")


def test_a_denial_without_a_reason_says_so() -> None:
    assert "No reason was given." in parts(compose(notice("denial")))[0]


LINK = f"https://keys.example.com/open/4711.{'0' * 32}#{'S' * 43}"


@pytest.mark.parametrize("language", WORDS)
def test_a_mail_with_the_link_to_a_sealed_key(language: str) -> None:
    sealed = notice(value="", language=language, link=LINK, link_expires=ENDS, alias="a", expires=ENDS)
    text, page = parts(compose(sealed))
    words = WORDS[language]
    assert f"{words['approval_link']}:\n{LINK}\n" in text, "on a line of its own, as mail readers find it"
    assert ("a", "href") in [(tag, name) for tag, attributes in Tags(page).tags for name, _value in attributes]
    assert f'href="{LINK}"' in page
    for part in (text, page):
        assert words["approval_link_once"] in html.unescape(part) and "2026-12-31 18:00 UTC" in part and words["approval_elsewhere"] not in part
    assert LINK not in repr(sealed) and "S" * 43 not in repr(sealed)


def test_an_approval_without_the_key_says_where_it_is() -> None:
    text, page = parts(compose(notice(value="", note="It is in the Secret key-ada.", url="https://llm.example.com")))
    assert "The key itself is not in this message." in text
    assert "It is in the Secret key-ada." in text
    assert "OPENAI_API_KEY" not in text + page


def test_a_key_that_never_ends() -> None:
    assert "Ends: never" in re.sub(" +", " ", parts(compose(notice(expires=None)))[0])
    assert "Ends" not in parts(compose(notice(expires="")))[0]


def test_text_that_people_write_is_marked_as_theirs() -> None:
    text, _page = parts(compose(notice("review", purpose="Approved.\n\nKey: sk-fake")))
    assert "> Approved.\n> \n> Key: sk-fake" in text


def test_the_text_needs_no_decoding_so_that_a_key_can_be_read_anywhere() -> None:
    approval = notice(url="https://llm.example.com")
    plain = next(part for part in read(compose(approval)).walk() if part.get_content_type() == "text/plain")
    assert KEY in compose(approval).data.decode("ascii")
    assert plain["Content-Transfer-Encoding"] in ("7bit", "quoted-printable")


def test_thousands_of_models_are_cut() -> None:
    text, _page = parts(compose(notice(models=tuple(f"model{number}" for number in range(5000)))))
    assert "model49, …" in text
    assert "model50" not in text


# ------------------------------------------------------------------------------------------------------------ headers
def test_headers() -> None:
    message = read(compose(notice()))
    assert set(message.keys()) == HEADERS
    assert message["From"] == "keys@example.com"
    assert message["To"] == "ada@example.com"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_mail_sent_again_has_the_same_message_id_and_any_other_has_not() -> None:
    def message_id_of(each: Notice) -> str:
        return compose(each).message_id

    first = message_id_of(notice())
    assert re.fullmatch(r"<[0-9a-f]{40}@example\.com>", first)
    assert first == message_id_of(notice(language="de", note="again")) == message_id_of(notice(to="Ada@EXAMPLE.com"))
    others = [notice("denial"), notice(id="4712"), notice(to="bob@example.com")]
    assert len({first, *map(message_id_of, others)}) == 4


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@example.com\r\n\r\nbody",
        "ada eve@example.com",
        '"ada\\" eve"@example.com',
        "ada@[127.0.0.1]",
        "=?utf-8?q?eve=40example.org?=@example.com",
    ],
)
def test_refused_recipients(to: str) -> None:
    with pytest.raises(ValueError, match=r"^to is"):
        compose(notice(to=to))


def test_a_domain_is_written_in_ascii() -> None:
    mailed = compose(notice(to="ada@bücher.example"))
    assert mailed.recipient == str(read(mailed)["To"]) == "ada@xn--bcher-kva.example"


# ----------------------------------------------------------------------------------------------------- invalid mails
@pytest.mark.parametrize(
    ("each", "message"),
    [
        (notice(value=""), "holds neither a key nor a note"),
        (notice("expiry", expires=""), "does not say when the key ends"),
        (notice("expiry", expires=None), "does not say when the key ends"),
        (notice("denial", value=KEY), "is given a key, which it never tells"),
        (notice("denial", link="https://keys.example.com/"), "is given the link to a sealed key"),
        (notice(link="https://keys.example.com/"), "only a mail that brings no key itself may hold"),
        (notice(value="", link="javascript:alert(1)"), "is not a web address"),
        (notice(value="", link="https://keys.example.com/ x"), "is not a web address"),
        (notice(id=" "), "has no id"),
        (notice(kind="greeting"), "kind is 'greeting'"),
        (notice(language="fr"), "language is 'fr'"),
        (notice(expires="tomorrow"), "expires is 'tomorrow'"),
        (notice(expires="0001-01-01T00:00:00+10:00"), "which is not a time of the years 1970 to 9900"),
        (notice(value="sk-a\r\nBcc: eve@example.com"), "a line break"),
        (notice(url="javascript:alert(1)"), "not the address of a gateway"),
        (notice("custom"), "no template"),
    ],
)
def test_refused_notices(each: Notice, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        compose(each)
    assert "sk-" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------- properties
ANYTHING = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "<script>alert(1)</script>",
                "<b>",
                "&amp;",
                "\r\n",
                "\n\n",
                "Bcc: eve@example.org",
                "\r\n.\r\n",
                "{{ 7*7 }}",
                "{% raw %}",
                "\x1b[31m",
                "\u202e",
                "'\"",
                "</table>",
                "<!--",
                "]]>",
                "=?utf-8?q?x?=",
                "\0",
                "\u2028",
                "<img src=x onerror=alert(1)>",
                "{when}",
                "%s",
                "x" * 2000,
            ]
        ),
        max_size=6,
    ).map("".join),
)
TEXT_FIELDS = ("id", "alias", "user", "package", "email", "request_id", "reason", "purpose", "note")
NOTICES = st.builds(
    lambda kind, language, texts, models, commands: notice(
        kind,
        language=language,
        url="https://llm.example.com",
        models=tuple(models),
        commands=tuple(commands),
        **{**texts, "id": "i" + texts["id"]},
    ),
    st.sampled_from(["approval", "denial", "review", "expiry"]),
    st.sampled_from(["en", "de", "es"]),
    st.fixed_dictionaries(dict.fromkeys(TEXT_FIELDS, ANYTHING)),
    st.lists(ANYTHING, max_size=3),
    st.lists(ANYTHING, max_size=3),
)


@settings(max_examples=50, deadline=None)
@given(NOTICES)
def test_no_header_can_be_added_and_no_body_begun(each: Notice) -> None:
    mailed = compose(each)
    message = read(mailed)
    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert (mailed.sender, mailed.recipient) == ("keys@example.com", "ada@example.com")
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not message.defects
    assert mailed.data.isascii()
    assert all(len(line) <= 998 for line in mailed.data.split(b"\r\n"))  # RFC 5322
    assert b"\n" not in mailed.data.replace(b"\r\n", b"")


def tags(page: str) -> set[Any]:
    return set(Tags(page).tags)


OURS = tags(
    "".join(block.html() for block in (mail.Paragraph("x\nx"), mail.Quote("x"), mail.Facts((("x", "x"),)), mail.Code(("x",))))
    + "".join(mail._page(language, "x", []) for language in WORDS)
)


@settings(max_examples=50, deadline=None)
@given(NOTICES)
def test_nothing_that_people_write_becomes_markup(each: Notice) -> None:
    assert tags(parts(compose(each))[1]) <= OURS


@settings(max_examples=50, deadline=None)
@given(NOTICES)
def test_text_has_no_control_characters(each: Notice) -> None:
    text, page = parts(compose(each))
    for words in (text, html.unescape("".join(Tags(page).texts))):
        assert all(line.isprintable() for line in words.split("\n"))


@settings(max_examples=50, deadline=None)
@given(NOTICES)
def test_only_an_approval_holds_a_key(each: Notice) -> None:
    text, page = parts(compose(each))
    assert (KEY in text) == (KEY in page) == (each.kind == "approval")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 999_999), min_size=2, max_size=8, unique=True))
def test_each_mail_holds_its_recipients_key_and_no_other(numbers: list[int]) -> None:
    owners = {f"user{number}@example.com": f"sk-{number:06}-0123456789" for number in numbers}
    mails = [compose(notice(to=to, value=key, id=to, url="https://llm.example.com")) for to, key in owners.items()]
    for mailed in mails:
        found = set(re.findall(r"sk-[0-9]{6}-0123456789", " ".join(parts(mailed))))
        assert found == {owners[mailed.recipient]}
        assert str(read(mailed)["To"]) == mailed.recipient


# --------------------------------------------------------------------------------------------------------- templates
def test_an_own_template() -> None:
    own = Template(
        "approval",
        subject="For {{ user }}",
        text="Key {{ value }}, ends {{ ends }}, floor {{ floor }}\n",
        html="<p>{{ reason }} {{ value }}</p>",
    )
    approval_notice = notice(user="ada", reason="<b>&", expires=ENDS, variables={"floor": 3, "user": "eve"})
    mailed = compose(approval_notice, own)
    assert read(mailed)["Subject"] == "For ada"
    assert parts(mailed) == (f"Key {KEY}, ends 2026-12-31 18:00 UTC, floor 3\n", f"<p>&lt;b&gt;&amp; {KEY}</p>\n")


def test_a_template_without_html_or_subject() -> None:
    mailed = compose(notice("denial"), Template("denial", text="No.\n"))
    assert read(mailed).get_content_type() == "text/plain"
    assert read(mailed)["Subject"] == WORDS["en"]["denial"]


def test_the_template_of_the_language_comes_before_the_general_one() -> None:
    templates = [
        Template("denial", text="general\n"),
        Template("denial", text="deutsch\n", language="de"),
        Template("approval", text="other\n"),
    ]
    assert parts(compose(notice("denial", language="de"), *templates))[0] == "deutsch\n"
    assert parts(compose(notice("denial", language="es"), *templates))[0] == "general\n"
    assert "Your request" in parts(compose(notice("denial"), templates[1]))[0]


def test_a_mail_of_kind_custom_needs_a_template_with_a_subject() -> None:
    assert read(compose(notice("custom"), Template("custom", text="x", subject="Hi")))["Subject"] == "Hi"
    with pytest.raises(ValueError, match="has no subject"):
        compose(notice("custom"), Template("custom", text="x"))


@settings(deadline=None)
@given(ANYTHING)
def test_text_that_people_write_is_never_a_template_and_never_markup(words: str) -> None:
    own = Template("denial", subject="About {{ reason }}", text="[{{ reason }}][{{ said.deep[0] }}]", html="<p>{{ reason }}|{{ said.deep[0] }}</p>")
    clean = mail.checked_notice(notice("denial", reason=words))[1].reason
    mailed = compose(notice("denial", reason=words, variables={"said": {"deep": [words]}}), own)
    text, page = parts(mailed)
    assert text == f"[{clean}][{clean}]\n"
    assert tags(page) == {("p", ())}
    assert "49" not in text or "49" in words
    assert set(read(mailed).keys()) == HEADERS


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"text": "{{ value"}, "wrong in its text, line 1"),
        ({"text": "x", "html": "\n{% if %}"}, "wrong in its html, line 2"),
        ({"text": "x", "subject": "{{ a b }}"}, "wrong in its subject"),
        ({"text": "{{ nothing }}"}, "'nothing' is undefined"),
        ({"text": "{{ value.__class__.__mro__ }}"}, "cannot be filled in|fails in its text"),
        ({"text": "{{ value + 1 }}"}, "fails in its text with TypeError"),
        ({"text": "{{ 1 / 0 }}"}, "fails in its text with ZeroDivisionError"),
        ({"text": "{{ models.append('x') }}"}, "fails in its text with SecurityError|cannot be filled in"),
    ],
)
def test_faulty_templates(template: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        compose(notice(), Template("approval", **template))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("keys@localhost", "keys@localhost"),
        ("LLM keys <keys@example.com>", "LLM keys <keys@example.com>"),
        ('"Schlüsseldienst, Köln" <keys@example.com>', '"Schlüsseldienst, Köln" <keys@example.com>'),
        ('"The \\\\ one" <keys@bücher.example>', '"The \\\\ one" <keys@xn--bcher-kva.example>'),
    ],
)
def test_the_sender_is_shown_with_a_name_and_the_envelope_has_the_address(sender: str, shown: str) -> None:
    mailbox = email_address.parse_mailbox(sender, "sender")
    mailed = mail.compose(notice(), Sender(mailbox, email_address.parse_mailbox("Help désk <help@example.com>", "reply_to")), (), NOW)
    assert mailed.data.isascii()
    assert (str(read(mailed)["From"]), str(read(mailed)["Reply-To"])) == (shown, "Help désk <help@example.com>")
    assert mailed.sender == str(mailbox.address)
    assert mailed.message_id.endswith(f"@{mailbox.address.domain}>")
