"""The words of the interface, as software compares them: sentences, fields and actions of the type ``mailsec`` (Pastell 4.0)."""

from __future__ import annotations

from typing import Any

VERSION = "4.0.14"
TYPE, TYPE_LABEL, GROUP = "mailsec", "Mail sécurisé", "Types de dossier génériques"
MASKED = "MOT DE PASSE NON RECUPERABLE"
NEVER = "1970-01-01 00:00:00"

NO_FUNCTION = "Il faut spécifier une fonction de l'api"
NO_GENERATION = "Version de l'API incorrecte ou version absente"
NO_RESOURCE = "Ressource absente"
RESOURCE_NOT_FOUND = "La ressource {name} n'a pas été trouvée"
NO_SCRIPT = "Impossible de trouver le script {name}"
NO_SUCH_METHOD = "Cette méthode n'est pas utilisable sur l'API Pastell"
NOT_BY_METHOD = "La méthode {method} n'existe pas pour cette ressource"
NO_ACCESS = "Accès interdit"
NO_RIGHT = "Acces interdit id_e={id_e}, droit={right},id_u={id_u}"
NO_ENTITY = "L'entité {id_e} n'existe pas"
ENTITY_NOT_FOUND = "L'entité {id_e} n'a pas été trouvée"
ENTITY_NEEDED = "id_e est obligatoire"
NO_DOCUMENT = "Le document {id_d} n'appartient pas à l'entité {id_e}"
NO_TYPE = "Le flux {type} n'existe pas sur cette plateforme"
NO_FILE = "Ce fichier n'existe pas"
NO_FIELD = "Le champ '{field}' n'existe pas, ou n'est pas un fichier"
TOO_MANY = "Un document porte {most} fichiers au plus : retirez-en un, ou prenez le numéro d'un fichier à remplacer"
NO_CONTENT = "Le fichier manque : envoyez-le sous le nom « file_content »"
NOT_TEXT = "Le champ '{field}' n'est pas autorisé sur un PATCH"
NOT_MANY = "Le paramètre id_d[] ne semble pas valide"
NOT_JSON = "Impossible d'encoder le résultat en JSON : ce fichier n'est pas un texte. Demandez-le sans le paramètre « receive »"
NO_ACTION = "L'action {action} n'existe pas."
NOT_NOW = "L'action « {action} »  n'est pas permise : {rule}"
NOT_EDITABLE = "L'action « modification »  n'est pas permise"
LAST_STATE = "Le dernier état du document ({state}) ne permet pas de déclencher cette action"
INVALID = "document_is_valide n'est pas vérifiée"
NO_ROLE = "role_id_e n'est pas vérifiée"
INCOMPLETE = "Le formulaire est incomplet : le champ «{label}» est obligatoire."
PASSWORDS_DIFFER = "Les mots de passe ne correspondent pas"
BUSY = "Une action est déjà en cours de réalisation sur ce document"
NOT_DONE = "« Définir comme non reçu » n'est pas fait ici : un mail que personne n'a retiré est dit non reçu à l'échéance."
NOBODY = "Personne n'attend d'être relancé : chaque destinataire a reçu le mail, ou ne le recevra plus."
NOT_A_NUMBER = "{name} : « {found} » n'est pas un nombre"
NOT_A_DATE = "{name} : « {found} » n'est pas une date. Écrivez AAAA-MM-JJ, ou AAAA-MM-JJ HH:MM:SS."
NOT_FILTERED = "{name} : ce filtre n'est pas fait ici. Retirez-le de la demande, et triez ce qui est rendu."
CREATED, MODIFIED, SENT, AGAIN = "Création du document", "Modification du document", "Le document a été envoyé", "Mail renvoyé"
DELETED = "Le document a été supprimé"

_ADDRESSES = {"commentaire": "Plusieurs emails possibles séparés par une virgule", "type": "mail-list"}
FIELDS: dict[str, dict[str, Any]] = {
    "to": {"name": "Destinataire(s)", **_ADDRESSES},
    "cc": {"name": "Copie à", **_ADDRESSES},
    "bcc": {"name": "Copie cachée à", **_ADDRESSES},
    "password": {"name": "Mot de passe", "type": "password", "may_be_null": True},
    "password2": {
        "name": "Mot de passe (confirmation)",
        "type": "password",
        "may_be_null": True,
        "is_equal": "password",
        "is_equal_error": PASSWORDS_DIFFER,
    },
    "objet": {"name": "Objet", "requis": True, "title": True},
    "message": {"name": "Message", "type": "textarea"},
    "document_attache": {"name": "Documents attachés", "type": "file", "multiple": True},
    "sent_mail_number": {"name": "Destinataires", "default": "0", "index": True, "no-show": True},
    "sent_mail_read": {"name": "Mails lus", "default": "0", "index": True, "no-show": True},
}
FILES = "document_attache"

_EDITS = {"role_id_e": "editeur", "droit_id_u": "mailsec:edition"}
_PURE = {"rule": {"role_id_e": "no-role"}}
_DRAFT = ["creation", "modification", "send-mailsec-error"]
ACTIONS: dict[str, dict[str, Any]] = {
    "creation": {"name-action": "Créer", "name": "Créé", "rule": {"no-last-action": "", "droit_id_u": "mailsec:edition"}},
    "modification": {"name-action": "Modifier", "name": "En cours de rédaction", "rule": {"last-action": _DRAFT, **_EDITS}},
    "supression": {"name-action": "Supprimer", "name": "Supprimé", "rule": {"last-action": _DRAFT, **_EDITS}},
    "envoi": {
        "name-action": "Envoyer",
        "name": "Envoyé",
        "rule": {"last-action": _DRAFT, **_EDITS, "document_is_valide": True},
    },
    "renvoi": {
        "name-action": "Envoyer à nouveau",
        "name": "Renvoyé",
        "rule": {"last-action": ["envoi", "reception-partielle"], **_EDITS, "document_is_valide": True},
    },
    "reception-partielle": {"name": "Reçu partiellement", **_PURE},
    "reception": {"name": "Reçu", **_PURE},
    "non-recu": {"name": "Non reçu", **_PURE},
    "erreur": {"name": "Erreur lors de l'envoi", **_PURE},
    "send-mailsec-error": {"name": "Erreur d'envoi d'un mail sécurisé", **_PURE},
}
