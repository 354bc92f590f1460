"""The window: the documents, the certificate, the PIN, one button, how far it is. All of it can be reached from the keyboard."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import tkinter as tk
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tkinter import messagebox, ttk
from typing import Any

from tabellion_agent import token
from tabellion_agent.errors import AgentError
from tabellion_agent.link import Link
from tabellion_agent.protocol import Item, Outcome, Platform
from tabellion_agent.session import SIGNED, Session
from tabellion_agent.settings import Settings

_NAME = "Signature Tabellion"
_EVERY = 50
# What a document is, from its first bytes: only these are opened, by the viewer that this computer has for them.
_KINDS = {b"%PDF-": ".pdf", b"<?xml": ".xml", b"\xef\xbb\xbf<?xml": ".xml"}


def run(link: Link, settings: Settings, modules: tuple[Path, ...]) -> int:
    """Show the window until it is closed; return the exit status: 0 when every document is signed, else 1."""
    root = tk.Tk()
    root.title(_NAME)
    root.withdraw()
    question = f"La plateforme {link.origin} demande une signature.\n\nLui faites-vous confiance ?"
    if link.origin not in settings.origins:
        if not messagebox.askyesno(_NAME, question, default="no", icon="warning"):
            return 1
        settings.approve(link.origin)
    try:
        session = Session(Platform(link))
    except AgentError as error:
        messagebox.showerror(_NAME, str(error))
        return 1
    with tempfile.TemporaryDirectory(prefix="tabellion-agent-") as folder:
        window = Window(root, session, modules, Path(folder))
        root.deiconify()
        root.mainloop()
        return window.status


class Window:
    """One signature at the screen.

    Attributes:
        status: what the program ends with.
    """

    def __init__(self, root: tk.Tk, session: Session, modules: tuple[Path, ...], folder: Path) -> None:
        self.status = 1
        self._root = root
        self._session = session
        self._modules = modules
        self._folder = folder
        self._events: queue.Queue[Callable[[], None]] = queue.Queue()
        self._identities: list[token.Identity] = []
        self._busy = False
        self._build()
        root.protocol("WM_DELETE_WINDOW", self.leave)
        root.after(_EVERY, self._turn)
        self.look_for_tokens()

    def leave(self) -> None:
        """Give up what is not signed, and close; while values are being sent, wait for their end."""
        if self._busy:
            return
        self._session.abandon("Abandon par le signataire.")
        self._root.destroy()

    def look_for_tokens(self) -> None:
        """Read the certificates of the tokens that are plugged in."""
        self._work(lambda: token.identities(self._modules), self._found)

    def show(self) -> None:
        """Open the chosen document with the viewer of this computer."""
        chosen = self._list.selection() or self._list.get_children()[:1]
        item = next((one for one in self._session.opening.items if one.id in chosen), None)
        if item is not None:
            self._work(lambda: self._kept(item), _viewed)

    def sign(self) -> None:
        """Sign every document with the chosen certificate and the PIN typed."""
        pin, number = self._pin.get(), self._certificates.current()
        if not pin or not 0 <= number < len(self._identities):
            self._say("Branchez votre jeton, choisissez un certificat et tapez le code PIN.")
            return
        self._pin.delete(0, tk.END)
        identity = self._identities[number]

        def work() -> list[Outcome]:
            with token.unlocked(identity, pin) as key:
                return self._session.sign(identity, key, self._progress)

        self._work(work, self._ended)

    def _build(self) -> None:
        opening = self._session.opening
        frame = ttk.Frame(self._root, padding=12)
        frame.grid(sticky="nsew")
        self._root.columnconfigure(0, weight=1)
        self._root.rowconfigure(0, weight=1)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(1, weight=1)
        ttk.Label(frame, text=f"{opening.organisation} — {opening.person}").grid(columnspan=3, sticky="w")
        self._list = ttk.Treeview(frame, columns=("title", "sha256"), show="headings", height=12, selectmode="browse")
        self._list.heading("title", text="Document")
        self._list.heading("sha256", text="Empreinte SHA-256")
        self._list.column("title", width=460)
        self._list.column("sha256", width=190, stretch=False)
        for item in opening.items:
            self._list.insert("", tk.END, iid=item.id, values=(item.title, f"{item.sha256[:12]}…"))
        self._list.grid(row=1, columnspan=3, sticky="nsew", pady=8)
        bar = ttk.Scrollbar(frame, command=self._list.yview)
        bar.grid(row=1, column=3, sticky="ns", pady=8)
        self._list.configure(yscrollcommand=bar.set)
        self._see = ttk.Button(frame, text="Voir", underline=0, command=self.show)
        self._see.grid(row=2, column=2, sticky="e")
        ttk.Label(frame, text="Certificat").grid(row=3, sticky="w")
        self._certificates = ttk.Combobox(frame, state="readonly")
        self._certificates.grid(row=3, column=1, sticky="ew", padx=8, pady=4)
        self._reread = ttk.Button(frame, text="Relire le jeton", underline=0, command=self.look_for_tokens)
        self._reread.grid(row=3, column=2, sticky="e")
        ttk.Label(frame, text="Code PIN").grid(row=4, sticky="w")
        self._pin = ttk.Entry(frame, show="•")
        self._pin.grid(row=4, column=1, sticky="ew", padx=8, pady=4)
        number = len(opening.items)
        text = f"Signer {number} document{'s' if number > 1 else ''}"
        self._sign = ttk.Button(frame, text=text, underline=0, command=self.sign)
        self._sign.grid(row=4, column=2, sticky="e")
        self._gauge = ttk.Progressbar(frame, maximum=max(number, 1))
        self._gauge.grid(row=5, columnspan=3, sticky="ew", pady=(8, 4))
        self._words = tk.StringVar()
        ttk.Label(frame, textvariable=self._words, wraplength=620, justify="left").grid(row=6, columnspan=3, sticky="w")
        self._keys()

    def _keys(self) -> None:
        self._root.bind("<Alt-v>", lambda _: self._see.invoke())
        self._root.bind("<Alt-r>", lambda _: self._reread.invoke())
        self._root.bind("<Alt-s>", lambda _: self._sign.invoke())
        self._root.bind("<Escape>", lambda _: self.leave())
        self._list.bind("<Return>", lambda _: self._see.invoke())
        self._list.bind("<Double-1>", lambda _: self._see.invoke())
        self._pin.bind("<Return>", lambda _: self._sign.invoke())
        self._pin.focus_set()

    def _work(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do something long beside the window, one at a time, and go on in the window."""
        if self._busy:
            return
        self._set_busy(busy=True)
        self._say("…")
        threading.Thread(target=self._beside, args=(work, then), daemon=True).start()

    def _beside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        try:
            found = work()
        except AgentError as error:
            self._events.put(partial(self._failed, error))
        except Exception:
            self._events.put(
                partial(self._failed, AgentError("L’agent a rencontré une erreur. Recommencez depuis la plateforme."))
            )
            raise
        else:
            self._events.put(partial(self._succeeded, then, found))

    def _succeeded(self, then: Callable[[Any], None], found: Any) -> None:
        self._set_busy(busy=False)
        self._say("")
        then(found)

    def _failed(self, error: AgentError) -> None:
        self._set_busy(busy=False)
        self._say(str(error))
        messagebox.showerror(_NAME, str(error), parent=self._root)
        if self._session.over:
            self._finish()
        self._pin.focus_set()

    def _found(self, identities: list[token.Identity]) -> None:
        self._identities = identities
        self._certificates.configure(values=[one.described for one in identities])
        self._certificates.current(0)
        if any(one.last_try for one in identities):
            self._say("Attention : il ne reste qu’un essai de code PIN avant le blocage du jeton.")

    def _ended(self, outcomes: list[Outcome]) -> None:
        titles = {item.id: item.title for item in self._session.opening.items}
        signed = sum(one.state == SIGNED for one in outcomes)
        lines = [f"{titles.get(one.id, one.id)} : {one.detail}" for one in outcomes if one.state != SIGNED]
        self.status = 0 if signed == len(titles) else 1
        self._gauge.configure(value=signed)
        self._say("\n".join([f"Documents signés : {signed} sur {len(titles)}. Vous pouvez fermer cette fenêtre.", *lines[:10]]))
        self._finish()

    def _finish(self) -> None:
        for widget in (self._sign, self._see, self._reread, self._pin, self._certificates):
            widget.state(["disabled"])

    def _progress(self, doing: str, done: int, total: int) -> None:
        self._events.put(partial(self._advance, doing, done, total))

    def _advance(self, doing: str, done: int, total: int) -> None:
        self._gauge.configure(value=done, maximum=max(total, 1))
        self._say(f"{doing} : {done} sur {total}")

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        for widget in (self._sign, self._see, self._reread):
            widget.state(["disabled" if busy else "!disabled"])

    def _say(self, words: str) -> None:
        self._words.set(words)

    def _turn(self) -> None:
        """Do in the window's own thread what the work beside it asks for."""
        while not self._events.empty():
            self._events.get()()
        self._root.after(_EVERY, self._turn)

    def _kept(self, item: Item) -> Path:
        data = self._session.document(item)
        ending = next((ending for start, ending in _KINDS.items() if data.startswith(start)), "")
        path = self._folder / f"{item.sha256}{ending}"
        path.write_bytes(data)
        return path


def _viewed(path: Path) -> None:
    """Open a document whose kind is known; show where another one is."""
    target = path if path.suffix else path.parent
    if sys.platform == "win32":
        os.startfile(target)  # noqa: S606 - a PDF, an XML file or a folder, by their endings
    elif viewer := shutil.which("open" if sys.platform == "darwin" else "xdg-open"):
        subprocess.Popen([viewer, str(target)])  # noqa: S603 - the same
    else:
        messagebox.showinfo(_NAME, f"Le document est ici : {path}")
