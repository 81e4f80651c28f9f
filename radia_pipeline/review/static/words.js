// Every word of the page in English and French, and how numbers are written. By the browser's language, and by the switch.
// What does not belong here: names of classes, sections, devices and reasons, which the server's configuration brings.

const WORDS = {
  notice: ["Research tool; not for diagnosis", "Outil de recherche; ne pas utiliser pour le diagnostic"],
  home: ["Home", "Accueil"],
  help: ["Keys", "Touches"],
  close: ["Close", "Fermer"],
  again: ["Try again", "Réessayer"],
  send: ["Send", "Envoyer"],
  cancel: ["Cancel", "Annuler"],
  next: ["Next", "Suivante"],
  language: ["Langue : français", "Language: English"],
  to_read: ["To read", "À lire"],
  no_lists: ["Nothing waits to be read.", "Rien n’attend d’être lu."],
  cases: ["Cases", "Cas"],
  phantoms: ["Phantom cases (invented)", "Cas du fantôme (inventés)"],
  no_cases: ["This lake holds no study that may be opened.", "Ce lac ne contient aucune étude que l’on peut ouvrir."],
  more: ["More", "Plus"],
  open: ["Open a film", "Ouvrir un cliché"],
  drop: ["or drop DICOM, PNG or JPEG files anywhere. Nothing is written to disk.", "ou déposez des fichiers DICOM, PNG ou JPEG n’importe où. Rien n’est écrit sur disque."],
  identified: ["Straight from the PACS, with the patient’s identity", "Directement du PACS, avec l’identité du patient"],
  has_report: ["report", "compte rendu"],
  has_prior: ["prior", "antérieur"],
  PA: ["PA", "PA"], AP: ["AP", "AP"], LATERAL: ["LAT", "LAT"], UNKNOWN: ["View unknown", "Incidence inconnue"],
  no_film: ["No film", "Aucun cliché"],
  prior: ["Prior", "Antérieur"],
  days: ["{n} d earlier", "{n} j plus tôt"],
  years: ["{n} y", "{n} ans"],
  window: ["Window", "Fenêtre"],
  stored: ["reduced image", "image réduite"],
  film_away: ["This film did not arrive.", "Ce cliché n’est pas arrivé."],
  names: ["Names", "Noms"],
  regions: ["Regions only", "Régions seules"],
  region: ["Region {n}", "Région {n}"],
  no_regions: ["The detector marks no region.", "Le détecteur ne marque aucune région."],
  abnormal: ["Abnormal", "Anormal"],
  finding: ["Finding", "Constat"], ref: ["Ref.", "Réf."], chance: ["Prob.", "Prob."], change: ["Δ prior", "Δ ant."],
  ref_long: ["Reference label", "Étiquette de référence"],
  present: ["present", "présent"], absent: ["absent", "absent"], uncertain: ["uncertain", "incertain"],
  unknown_class: ["not learned", "non appris"],
  below: ["below the threshold", "sous le seuil"], above: ["above the threshold", "au-dessus du seuil"],
  so_far: ["Of {n} validation studies with about this probability, {share} had it ({low} to {high}).", "De {n} études de validation de probabilité semblable, {share} l’avaient ({low} à {high})."],
  looked: ["{name}: where the model looked.", "{name} : où le modèle a regardé."],
  no_map: ["{name}: no map.", "{name} : pas de carte."],
  outside: ["More than half of this map lies outside the thorax: do not rely on it.", "Plus de la moitié de cette carte est hors du thorax : ne pas s’y fier."],
  no_chest: ["No thorax was found on this film: nobody knows whether this map lies inside.", "Aucun thorax trouvé sur ce cliché : on ne sait pas si cette carte est dedans."],
  by_ensemble: ["Answered by the ensemble {version}, which nobody has approved.", "Répondu par l’ensemble {version}, que personne n’a approuvé."],
  by_champion: ["Answered by the champion {release}, {standing}.", "Répondu par le champion {release}, {standing}."],
  standing_validated: ["validated by readings of the hospital", "validé par des lectures de l’hôpital"],
  standing_research: ["for research only", "pour la recherche seulement"],
  standing_demonstration: ["a demonstration: simulated readers made its truth", "une démonstration : des lecteurs simulés ont fait sa vérité"],
  shift: ["Stated shift: {text}", "Décalage déclaré : {text}"],
  hint: ["Point at a finding to see where the model looked; W: wrong.", "Pointez un constat pour voir où le modèle a regardé; W : faux."],
  report: ["Report", "Compte rendu"],
  no_report: ["No report.", "Pas de compte rendu."],
  report_held: ["The report is held back: it may name a person.", "Le compte rendu est retenu : il pourrait nommer une personne."],
  devices: ["Devices in the report", "Matériel au compte rendu"],
  misplaced: ["{name} (misplaced)", "{name} (mal placé)"],
  no_model: ["No model has been trained here yet.", "Aucun modèle n’a encore été entraîné ici."],
  thinking: ["The models are looking …", "Les modèles regardent…"],
  wrong: ["Wrong", "Faux"],
  wrong_title: ["What is wrong about {name}?", "Qu’est-ce qui est faux pour {name} ?"],
  wrong_answer: ["On the film it is", "Sur le cliché, c’est"],
  wrong_about: ["What is wrong", "Ce qui est faux"],
  about_prediction: ["the prediction", "la prédiction"], about_label: ["the reference label", "l’étiquette de référence"],
  about_box: ["the box", "la boîte"], about_map: ["the map", "la carte"], about_other: ["something else", "autre chose"],
  wrong_kept: ["Noted; it waits in the list of labels to re-read.", "Noté; cela attend dans la liste des étiquettes à relire."],
  comment: ["Comment", "Commentaire"],
  comment_hint: ["No names, numbers or dates", "Sans noms, numéros ni dates"],
  read: ["Read", "Lire"], adjudicate: ["Adjudicate", "Arbitrer"],
  left: ["{left} of {of} left", "{left} sur {of} à lire"],
  waiting_adjudication: ["{n} to adjudicate", "{n} à arbitrer"],
  list_done: ["done", "terminée"],
  study_of: ["Study {n} of {of}", "Étude {n} de {of}"],
  blind: ["Blind first read", "Lecture à l’aveugle"],
  adjudication: ["Adjudication", "Arbitrage"],
  revealed: ["Re-reading", "Relecture"],
  accept: ["Accept and next", "Accepter et suivante"],
  agree: ["Agree and next", "D’accord et suivante"],
  correct: ["Correct and next", "Corriger et suivante"],
  painting: ["Films are coming …", "Les clichés arrivent…"],
  sending: ["Saving …", "Enregistrement…"],
  yours: ["You", "Vous"],
  undo: ["Undo", "Défaire"],
  not_assessable: ["Not assessable", "Non évaluable"],
  why_not: ["Why can this study not be read?", "Pourquoi cette étude ne peut-elle être lue ?"],
  not_a_chest: ["not a chest", "pas un thorax"], projection: ["projection", "incidence"], quality: ["quality", "qualité"],
  incomplete: ["incomplete", "incomplète"], other: ["other", "autre"],
  device: ["devices hide it", "masquée par du matériel"],
  box: ["Box", "Boîte"],
  box_for: ["Draw a box around: {name}", "Encadrez : {name}"],
  box_none: ["Mark a finding first, then box it.", "Marquez d’abord un constat, puis encadrez-le."],
  reader_n: ["Reader {n}", "Lecteur {n}"],
  after_answer: ["Report and predictions appear after your answer.", "Le compte rendu et les prédictions paraissent après votre réponse."],
  at_end: ["Nothing is shown before the whole set is read.", "Rien n’est montré avant la fin de la série."],
  two_answers: ["The readers disagree here. Neither a name nor a model is shown.", "Les lecteurs divergent ici. Ni nom ni modèle n’est montré."],
  waiting: ["{n} waiting", "{n} en attente"],
  all_read: ["All read", "Tout est lu"],
  look: ["See reports and predictions", "Voir comptes rendus et prédictions"],
  read_n: ["You have read {n} of {of}.", "Vous avez lu {n} sur {of}."],
  kappa: ["Agreement of the readers: κ {k} ({low} to {high}).", "Accord entre lecteurs : κ {k} ({low} à {high})."],
  kappa_within: ["Your agreement with yourself on {n} answers: κ {k}.", "Votre accord avec vous-même sur {n} réponses : κ {k}."],
  kappa_none: ["Agreement can be told when two readers have finished.", "L’accord se dira quand deux lecteurs auront terminé."],
  next_reader: ["Next: {n} studies wait for a second reader.", "Ensuite : {n} études attendent un second lecteur."],
  next_adjudicator: ["Next: adjudication of {n} studies.", "Ensuite : l’arbitrage de {n} études."],
  next_complete: ["The set is complete.", "La série est complète."],
  loading: ["Loading", "Chargement"],
  refused: ["Refused: {what}", "Refusé : {what}"],
  refused_more: ["Nothing was stored or computed; no probability is shown.", "Rien n’a été enregistré ni calculé; aucune probabilité n’est affichée."],
  away: ["The server does not answer", "Le serveur ne répond plus"],
  away_more: ["The page tries again by itself.", "La page réessaie d’elle-même."],
  away_kept: ["Your answers are kept here ({n} waiting) and are sent when it is back. Do not close this page.", "Vos réponses sont gardées ici ({n} en attente) et seront envoyées dès son retour. Ne fermez pas la page."],
  read_elsewhere: ["This study was read in another tab", "Cette étude a été lue dans un autre onglet"],
  read_elsewhere_more: ["Your reading of {at} is stored. The next one is opened here.", "Votre lecture de {at} est enregistrée. La suivante est ouverte ici."],
  read_meanwhile: ["The study that stood here was read elsewhere meanwhile; the next one is opened.", "L’étude affichée ici a été lue ailleurs entre-temps; la suivante est ouverte."],
  error: ["Something went wrong", "Une erreur est survenue"],
  request: ["If it happens again, tell whoever runs RadIA this number: {id}", "Si cela se répète, donnez ce numéro à qui s’occupe de RadIA : {id}"],
  e_blind: ["This study waits to be read blind by you; read it first.", "Vous devez d’abord lire cette étude à l’aveugle."],
  e_unknown: ["This is not here (any more).", "Ceci n’est pas (ou plus) ici."],
  e_changed: ["The list has changed since the page was opened.", "La liste a changé depuis l’ouverture de la page."],
  e_revealed: ["It cannot be taken back once the answers were shown; correct it instead.", "On ne peut plus l’annuler après le dévoilement; corrigez plutôt."],
  e_not_sound: ["The server could not accept this answer. A comment must not hold names, numbers or dates.", "Le serveur n’a pas pu accepter cette réponse. Un commentaire ne doit contenir ni nom, ni numéro, ni date."],
  e_too_large: ["The file is too large.", "Le fichier est trop gros."],
  e_unsupported_type: ["This kind of file is not taken: DICOM, PNG or JPEG.", "Ce genre de fichier n’est pas accepté : DICOM, PNG ou JPEG."],
  e_no_user: ["Nobody is signed in.", "Personne n’est connecté."],
  e_not_yours: ["This is another reader’s.", "Ceci est à un autre lecteur."],
  e_starting: ["The server is still starting.", "Le serveur démarre encore."],
  k_drag: ["drag", "glisser"], k_wheel: ["wheel", "molette"], k_right: ["right drag", "clic droit"], k_letter: ["letter", "lettre"],
  k_space: ["Space", "Espace"], k_back: ["Backspace", "Retour"], k_arrows: ["arrows", "flèches"], k_shift: ["Shift + arrows", "Maj + flèches"],
  c_window: ["window", "fenêtre"], c_zoom: ["zoom", "zoom"], c_pan: ["move", "déplacer"], c_invert: ["invert", "inverser"],
  c_fit: ["fit", "ajuster"], c_one: ["1:1", "1:1"], c_reset: ["reset", "rétablir"], c_regions: ["regions", "régions"],
  c_prior: ["prior large", "antérieur en grand"], c_wrong: ["wrong", "faux"], c_next: ["next case", "cas suivant"],   c_cycle: ["absent → present → uncertain", "absent → présent → incertain"], c_accept: ["accept, next", "accepter, suivante"],
  c_not: ["not assessable", "non évaluable"], c_box: ["box", "boîte"], c_undo: ["undo", "défaire"], c_comment: ["comment", "commentaire"],
  c_help: ["help", "aide"],   touch: ["Touch: one finger window, two fingers zoom and move, double tap 1:1.", "Tactile : un doigt fenêtre, deux doigts zoom et déplacement, double tape 1:1."],
};

const KEPT = "radia.language";
const wished = () => localStorage.getItem(KEPT) ?? navigator.languages.find((one) => /^(fr|en)/.test(one))?.slice(0, 2) ?? "en";
let language = wished();

export const languageNow = () => language;
export const isKnown = (key) => key in WORDS;

export function setLanguage(wanted) {
  language = wanted;
  localStorage.setItem(KEPT, wanted);
  document.documentElement.lang = wanted;
}

/** French sets a space before these marks, at which a line must not break. */
const spaced = (words) => (language === "fr" ? words.replace(/ (?=[:;?!»])|(?<=«) /g, "\u00a0") : words);

/** A word by its key, with {names} filled in. */
export const t = (key, values = {}) =>
  spaced(WORDS[key][language === "fr" ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => values[name]));

/** What the server says in both languages: {english, french}. */
export const both = (words) => spaced(words[language === "fr" ? "french" : "english"]);

export const number = (value, digits = 0) =>
  value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits, useGrouping: false });

/** A share as a percentage; what is not quite 0 or 1 is not written as 0 or 100. */
export function percent(share) {
  const whole = Math.round(share * 100), mark = whole === 0 && share > 0 ? "<\u202f1" : whole === 100 && share < 1 ? ">\u202f99" : `${whole}`;
  return `${mark}\u00a0%`;
}

export const clock = (at) => new Date(at).toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });
