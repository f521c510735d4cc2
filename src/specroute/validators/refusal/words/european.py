"""How an answer in the languages of continental Europe refuses."""

from __future__ import annotations

from specroute.validators.refusal.words.fragments import RefusalWords

EUROPEAN = (
    RefusalWords(
        "Spanish",
        r"(?:lo siento|lo lamento|siento|lamento|lamentablemente|desafortunadamente|por desgracia|disculp"
        r"|perd[oó]n|mis disculpas|como (?:un |una )?(?:modelo|ia|inteligencia|asistente)|entiendo|comprendo|soy "
        r"(?:solo )?(?:un |una )(?:modelo|ia|inteligencia|asistente))",
        r"(?:yo )?no (?:te |le |os |les )?(?:puedo|podemos|podr[eé]|estoy en condiciones de|estoy autorizad[oa] "
        r"(?:a|para)|soy capaz de|tengo permitido|me es posible)(?: [^ .,!?\n]+){0,2}? (?:ayud|asist|cumplir"
        r"|complacer|atender|satisfacer|responder a (?:esa|esta|tu|su|eso|esto)|proporcion[^ ]* (?:esa|ese|ayuda"
        r"|asistencia|informaci[oó]n|instrucciones)|ofrecer[^ ]* (?:ayuda|asistencia)|realizar (?:esa|esta|tu|su)"
        r"|procesar)",
        r"no (?:te |le |os |les )?(?:puedo|podemos|podr[eé]|estoy|soy|voy a)(?: [^ .,!?\n]+){0,4}? (?:proporcion"
        r"|ofrec|brind|responder|realizar|generar|crear|escrib|facilit|particip|dar|darte|hacer (?:eso|esto)"
        r"|continuar|compartir|colabor|discutir|hablar|complet|apoy)",
    ),
    RefusalWords(
        "Portuguese",
        r"(?:me desculp|desculp|sinto muito|lamento|infelizmente|pe[cç]o desculpa|perd[aã]o|como (?:um |uma "
        r")?(?:modelo|ia|intelig[eê]ncia|assistente)|entendo|compreendo|sou (?:apenas )?(?:um |uma )(?:modelo|ia"
        r"|intelig[eê]ncia|assistente))",
        r"(?:eu )?n[aã]o (?:te |lhe |o )?(?:posso|podemos|consigo|poderei|sou capaz de|estou autorizad[oa] a"
        r"|tenho permiss[aã]o para|me [eé] poss[ií]vel)(?: [^ .,!?\n]+){0,2}? (?:ajud|auxili|atender|cumprir"
        r"|satisfazer|responder a (?:essa|esta|isso|isto|sua|seu)|fornec[^ ]* (?:essa|esse|ajuda|assist[eê]ncia"
        r"|informa[cç]|instru[cç])|realizar (?:essa|esta|sua)|processar)",
        r"n[aã]o (?:te |lhe |o )?(?:posso|podemos|consigo|poderei|sou|estou|vou)(?: [^ .,!?\n]+){0,4}? (?:fornec"
        r"|oferec|responder|realizar|gerar|criar|escrev|particip|dar|fazer iss?t?o|continuar|compartilh|discutir"
        r"|falar|complet|apoi|prestar)",
    ),
    RefusalWords(
        "French",
        r"(?:je suis (?:vraiment |sincèrement )?(?:désolée?|navrée?)|(?:vraiment )?désolée?|navrée?|je regrette"
        r"|malheureusement|pardon|toutes mes excuses|mes excuses|je (?:m'|vous prie de m')excuse|excusez|en tant "
        r"qu|je comprends|je ne suis qu|je suis une? (?:ia|modèle|intelligence|assistante?))",
        r"(?:je ne (?:peux|puis|pourrai)|nous ne pouvons|je ne suis|je n'ai|je ne saurais)(?: (?:malheureusement"
        r"|hélas|absolument))?(?: pas)?(?: en mesure| autorisée?| capable| habilitée?| le droit)?(?: d[e']| de)? "
        r"?(?:vous |t'|te |y |l'|le |d')*(?:aider|assister|répondre (?:favorablement )?à (?:cette|votre|ta|ce"
        r"|cela)|satisfaire|accéder à|donner suite|traiter (?:cette|votre)|fournir (?:de |d'|une |cette |ce |ces "
        r"|l')*(?:aide|assistance|informations?|instructions|conseils|type))|(?:il m'est impossible|je suis dans "
        r"l'impossibilité) (?:de |d')(?:vous |t'|te )*(?:aider|assister|répondre|fournir|satisfaire|accéder"
        r"|donner)",
        r"(?:je ne (?:peux|puis|pourrai|vais)|nous ne pouvons|je ne suis)(?: [^ .,!?\n]+){0,4}? (?:vous |d'|t'|te "
        r")*(?:fournir|répondre|accomplir|exécuter|proposer|créer|générer|rédiger|écrire|participer|effectuer"
        r"|discuter|donner|offrir|partager|faire (?:cela|ça)|réaliser|continuer|soutenir|accéder)",
    ),
    RefusalWords(
        "German",
        r"(?:(?:es )?tut mir (?:sehr |wirklich |aufrichtig )?leid|entschuldig|leider|ich bedau|bedauerlicherweise"
        r"|sorry|verzeih|als (?:eine? )?(?:ki|ai|sprachmodell|künstliche|assistent|digitale)|ich verstehe|ich bin "
        r"(?:nur )?eine? (?:ki|sprachmodell|künstliche))",
        r"(?:ich (?:kann|darf|werde|könnte)|(?:kann|darf|werde) ich|wir können|können wir|ich bin)(?: [^ "
        r".,!?\n]+){0,9}? (?:nicht|keine?)(?: [^ .,!?\n]+){0,2}? (?:zu )?(?:weiter)?(?:helfen|behilflich"
        r"|unterstützen|beantworten|erfüllen|nachkommen|entsprechen|bearbeiten|assistieren)\b",
        r"(?:ich (?:kann|darf|werde|könnte)|(?:kann|darf|werde) ich)(?: [^ .,!?\n]+){0,9}? (?:nicht|keine?)(?: [^ "
        r".,!?\n]+){0,6}? (?:geben|anbieten|erstellen|schreiben|generieren|liefern|ausführen|teilnehmen"
        r"|diskutieren|mitmachen|bereitstellen|verfassen|fortfahren|machen|tun)\b",
    ),
    RefusalWords(
        "Italian",
        r"(?:mi (?:dispiace|spiace)|(?:sono )?spiacente|purtroppo|scus|mi scuso|chiedo scusa|in quanto|come "
        r"(?:modello|ia|intelligenza|assistente)|capisco|sono (?:solo )?un(?:'| |a ))",
        r"non (?:ti |vi |le )?(?:posso|possiamo|sono in grado di|mi è possibile|potrò|sono autorizzat[oa] a|mi è "
        r"permesso)(?: [^ .,!?\n]+){0,2}? (?:aiutar|assister|soddisfar|esaudir|accoglier|dar seguito|rispondere a "
        r"(?:quest|tal|ciò)|fornir[^ ]* (?:assistenza|aiuto|informazioni|istruzioni|quest)|elaborare (?:quest|la))",
        r"non (?:ti |vi |le )?(?:posso|possiamo|sono|mi è|potrò)(?: [^ .,!?\n]+){0,4}? (?:fornir|risponder"
        r"|completar|offrir|crear|generar|scriver|partecipar|discuter|dar|far(?:lo|e questo)|continuar|condivider"
        r"|eseguir|parlar)",
    ),
    RefusalWords(
        "Dutch",
        r"(?:het spijt me|sorry|helaas|mijn excuses|excuses|als (?:een )?(?:ai|taalmodel|kunstmatige|virtuele"
        r"|assistent)|ik begrijp|jammer genoeg|ik ben (?:slechts )?een (?:ai|taalmodel))",
        r"(?:ik (?:kan|mag|zal)|(?:kan|mag) ik|wij kunnen|we kunnen)(?: [^ .,!?\n]+){0,8}? (?:niet|geen)(?: [^ "
        r".,!?\n]+){0,3}? (?:helpen|assisteren|voldoen|beantwoorden|ingaan|bijstaan|ondersteunen|assistentie"
        r"|hulp)\b|ik ben niet in staat(?: om)?(?: [^ .,!?\n]+){0,5}? te (?:helpen|voldoen|beantwoorden"
        r"|assisteren)",
        r"(?:ik (?:kan|mag|zal)|(?:kan|mag) ik)(?: [^ .,!?\n]+){0,8}? (?:niet|geen)(?: [^ .,!?\n]+){0,6}? "
        r"(?:verstrekken|geven|maken|schrijven|genereren|bieden|delen|deelnemen|bespreken|doen|uitvoeren)\b",
    ),
    RefusalWords(
        "Polish",
        r"(?:(?:bardzo |niezmiernie )?(?:przykro mi|mi przykro|przepraszam)|niestety|wybacz|jako (?:model|ai"
        r"|sztuczna|asystent)|rozumiem|jestem (?:tylko )?(?:modelem|sztuczną))",
        r"nie (?:mogę|możemy|jestem w stanie|będę mógł|będę mogła|potrafię|wolno mi)(?: [^ .,!?\n]+){0,3}? "
        r"(?:pomóc|pomagać|spełni|asystowa|zrealizować (?:tej|tego|twoj)|odpowiedzieć na (?:to|tę|twoj|pan)"
        r"|udzielić (?:pomocy|ci|informacji|odpowiedzi)|wesprzeć)",
        r"nie (?:mogę|możemy|jestem w stanie|będę)(?: [^ .,!?\n]+){0,4}? (?:odpowied|zrealizowa|udziel|dostarcz"
        r"|wykona|poda|stworz|wygenerowa|napisa|zapewni|przygotowa|kontynuowa|zrobi)",
    ),
    RefusalWords(
        "Russian",
        r"(?:извин|прости|прошу прощения|к сожалению|мне (?:очень )?жаль|(?:я )?сожалею|как (?:языковая|ии"
        r"|искусственный|нейросеть|ассистент|модель|большая)|я понимаю|увы|я (?:всего лишь )?(?:языковая|ии))",
        r"(?:я )?(?:не (?:могу|можем|смогу|сможем)|не в состоянии|не имею (?:права|возможности)|не вправе)(?: [^ "
        r".,!?\n]+){0,4}? (?:помо(?:чь|гать|гу)|выполнить (?:этот|эту|ваш|твой|данн|так|это)|ответить на (?:этот"
        r"|ваш|это|данн|твой)|предоставить (?:эт|так|вам|данн|информац|инструкц)|удовлетворить|содействовать"
        r"|исполнить|оказать|обсуждать)",
        r"(?:не (?:могу|можем|смогу|буду)|не в состоянии)(?: [^ .,!?\n]+){0,4}? (?:предоставл|предостав|отве[тч]"
        r"|выполн|обсужд|созда|напис|генерир|дать|давать|поддерж|участв|(?:с)?делать|продолж|рассказ)",
    ),
    RefusalWords(
        "Ukrainian",
        r"(?:(?:я )?(?:вибач|пробач|перепрош)|прошу вибачення|на жаль|мені (?:дуже )?(?:шкода|прикро)|шкодую|як "
        r"(?:мовна|штучний|ші|модель|асистент|велика)|я розумію|я (?:лише )?(?:мовна|ші))",
        r"(?:я )?(?:не (?:можу|можемо|зможу|зможемо)|не в змозі|не маю (?:права|можливості))(?: [^ "
        r".,!?\n]+){0,4}? (?:допом[оа]г|виконати (?:цей|це|ваш|твій|так)|відповісти на (?:це|цей|ваш|твоє)|надати "
        r"(?:ц|так|вам|інформац|інструкц|допомог)|задовольнити|сприяти)",
        r"(?:не (?:можу|можемо|зможу|буду)|не в змозі)(?: [^ .,!?\n]+){0,4}? (?:нада|відпові|викона|обговор|створ"
        r"|напис|генер|підтрим|продовж|зробити)",
    ),
    RefusalWords(
        "Swedish",
        r"(?:jag (?:är (?:verkligen |så )?ledsen|beklagar|ber om)|tyvärr|ledsen|ursäkta|förlåt|beklagar|som (?:en "
        r")?(?:ai|språkmodell|artificiell|assistent)|jag förstår|jag är (?:bara )?(?:en )?(?:ai|språk))",
        r"(?:jag (?:kan|får|kommer)|kan jag|vi kan)(?: [^ .,!?\n]+){0,3}? (?:inte|inga|ingen)(?: [^ "
        r".,!?\n]+){0,2}? (?:hjälpa|bistå|uppfylla|assistera|tillmötesgå|svara på (?:den|det|din)|tillhandahålla)",
        r"(?:jag (?:kan|får|kommer)|kan jag)(?: [^ .,!?\n]+){0,3}? (?:inte|inga|ingen)(?: [^ .,!?\n]+){0,3}? "
        r"(?:svara|stödja|ge|skapa|skriva|utföra|göra (?:det|så)|generera|delta|diskutera|fortsätta)\b",
    ),
    RefusalWords(
        "Greek",
        r"(?:(?:πραγματικά )?λυπ(?:άμαι|ούμαι|ούμαστε)|συγγνώμη|συγνώμη|ζητώ συγγνώμη|δυστυχώς|ως (?:ένα "
        r")?(?:μοντέλο|τεχνητή|γλωσσικό|ai|βοηθός)|καταλαβαίνω|με συγχωρ|κατανοώ|είμαι (?:ένα )?(?:μοντέλο"
        r"|γλωσσικό))",
        r"(?:δεν|δε) (?:μπορώ|μπορούμε|θα μπορέσω|είμαι σε θέση|δύναμαι|έχω τη δυνατότητα)(?: [^ .,!?\n]+){0,4}? "
        r"(?:βοηθήσ|ικανοποιήσ|εκπληρώσ|εξυπηρετήσ|συνδράμ|ανταποκριθ|(?:παρέχω|παράσχω) (?:βοήθεια|πληροφορ|οδηγ)"
        r"|απαντήσω σε αυτ)",
        r"(?:δεν|δε) (?:μπορώ|μπορούμε|θα μπορέσω|είμαι σε θέση)(?: [^ .,!?\n]+){0,4}? (?:παρέχω|παράσχω|απαντήσω"
        r"|εκτελέσω|δώσω|δημιουργήσω|γράψω|υποστηρίξω|συνεχίσω|συζητήσω|κάνω αυτ)",
    ),
    RefusalWords(
        "Danish and Norwegian",
        r"(?:jeg (?:er (?:meget |virkelig )?(?:ked af|lei meg|beklager)|beklager)|beklager|desværre|dessverre"
        r"|undskyld|unnskyld|som (?:en )?(?:ai|kunstig|språkmodell|sprogmodel))",
        r"(?:jeg kan|kan jeg|vi kan)(?: [^ .,!?\n]+){0,3}? (?:ikke|ingen)(?: [^ .,!?\n]+){0,2}? (?:hjælpe|hjelpe"
        r"|bistå|opfylde|oppfylle|assistere|imødekomme|imøtekomme)",
    ),
    RefusalWords(
        "Czech",
        r"(?:(?:je mi|bohužel|je mi to) ?(?:líto)?|omlouvám|promiňte|lituji|jako (?:jazykový|ai|umělá|asistent))",
        r"(?:nemohu|nemůžu|nemůžeme|nejsem schopen|nejsem schopna|nedokážu)(?: [^ .,!?\n]+){0,3}? (?:pomoci|pomoct"
        r"|pomáhat|vyhovět|splnit (?:tu|tento|vaš)|poskytnout|odpovědět na (?:tuto|to|vaši))",
    ),
)
