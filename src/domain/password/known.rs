//! What people choose first, written down from general knowledge: words, phrases, and walks over the keyboard.

/// Words of this product and its surroundings.
pub(super) const PRODUCT_WORDS: &[&str] = &[
    "leadgen",
    "connector",
    "linkedin",
    "microsoft",
    "dynamics",
    "dynamics365",
    "entra",
    "leads",
    "lead",
    "portal",
    "salesforce",
    "crm",
];

/// Rows and columns of keyboards, along which fingers walk.
pub(super) const KEYBOARD_RUNS: &[&str] = &[
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1234567890",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
    "!\"§$%&/()=",
];

/// Separated by blanks: phrases of fifteen and more letters that stand at the top of every list of long passwords, without their blanks.
pub(super) const PHRASES: &str = "\
    abcdefghijklmnop allyouneedislove allyourbasearebelongtous anappleadaykeepsthedoctoraway \
    askandyoushallreceive asyoulikeit attackontitan barcelonabarcelona beamemupscotty beammeupscotty \
    bewaretheidesofmarch biggerthanlife bohemianrhapsody breakingbad callofdutyblackops \
    callofdutymodernwarfare carpediemcarpediem chocolatechipcookie cogitoergosum \
    comewithmeifyouwanttolive correcthorsebatterystable correcthorsebatterystaple defaultadministrator \
    defaultpassword deutschlanddeutschland donotenterpassword dontworrybehappy dragonballz \
    elementarymydearwatson enterpassword enteryourpassword everythingisawesome footballisthebest \
    forgotmypassword fortheloveofgod fourscoreandsevenyearsago frodobaggins fuckyoufuckyou gameofthrones \
    godblessamerica goodmorningvietnam hakunamatata happybirthdaytoyou harrypotterandthe \
    hastalavistababy haveaniceday helloitsme helloworldhelloworld heresjohnny houstonwehaveaproblem \
    howareyoudoingtoday iamironman iamthebest iamyourfather icanhascheezburger ichbineinberliner \
    ichliebedich ichliebedichsosehr idontcare idontknow iforgotmypassword iforgotthepassword ihaveadream \
    illbeback illbethereforyou ilovemydog ilovemyfamily ilovemyhusband ilovemykids ilovemyself \
    ilovemywife iloveyoubaby iloveyouforever iloveyoumom iloveyousomuch iloveyouverymuch imyourfather \
    ingodwetrust inthebeginning itsasecret itsatrap jesuschrist jesusislord jesuslovesme justdoit \
    justinbieber keepcalmandcarryon kingofkings kingofthehill kissmyass knowledgeispower laissezfaire \
    leagueoflegends leaveitalone leonardodavinci letitbeletitbe letmeinletmein letmeinplease linkinpark \
    liveandletdie liveandletlive livelaughlove livelongandprosper liverpoolfootballclub lordoftherings \
    loremipsumdolorsitamet loveisallyouneed luckyluckylucky lukeiamyourfather makeamericagreatagain \
    manchesterunited maryhadalittlelamb maytheforcebewithyou meinpasswort meinpasswortistsicher \
    metallicametallica michaeljackson mickeymouse motdepasse motdepassemotdepasse mynameis mypassword \
    mypasswordispassword mypasswordissecure mysecretpassword mysupersecretpassword nevergonnagiveyouup \
    neversaynever newpassword newyorkcity nomorepasswords nopainnogain nosoupforyou nothingelsematters \
    notmypassword oncemoreuntothebreach onceuponatime onceuponatimeinthewest oneringtorulethemall \
    onetwothreefour onetwothreefourfive onetwothreefourfivesix opensesame opensesameopensesame \
    ourfatherwhoartinheaven passwordadmin passwordchangeme passwordispassword passwordpassword \
    passwordsecret passwortpasswort peaceandlove piratesofthecaribbean playstation pleasechangeme \
    pleaseletmein pokemongottacatchemall powerrangers praisethelord princessprincess qwertyuiopasdfgh \
    qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm rememberthealamo resistanceisfutile rockandroll \
    rollingstones romeoandjuliet rosesareredvioletsareblue sanfrancisco santaclaus secretpassword \
    secretsecretsecret sexdrugsandrocknroll sherlockholmes showmethemoney smellsliketeenspirit \
    somewhereovertherainbow spongebobsquarepants stairwaytoheaven starwarsstarwars strongpassword \
    supercalifragilisticexpialidocious supermansuperman superpassword supersecretpassword supersecure \
    takemetoyourleader temporarypassword temppassword theanswerisfortytwo thebeatles thecakeisalie \
    theforceisstrong thelordismyshepherd thequickbrownfox thequickbrownfoxjumps \
    thequickbrownfoxjumpsoverthelazydog thereisnoplacelikehome thereisnospoon theresnoplacelikehome \
    thisisalongpassword thisisapassword thisisasecret thisisasecurepassword thisisatest \
    thisisaverylongpassword thisismypassword thisisnotapassword thisissparta tobeornottobe \
    tobeornottobethatisthequestion toinfinityandbeyond tomandjerry trustnoone twinkletwinklelittlestar \
    unbreakable undefinedundefined unitedstatesofamerica verylongpassword verysecretpassword \
    verysecurepassword weallliveinayellowsubmarine wearethechampions welcomehome welcometothejungle \
    welcomewelcome wewillrockyou whatever whateverwhatever whatismypassword whatsupdoc whoamiwhoami \
    whoareyou winteriscoming withgreatpowercomes withgreatpowercomesgreatresponsibility worldofwarcraft \
    yabbadabbadoo yesterdayallmytroubles yippeekiyay youaremysunshine youcanthandlethetruth yourpassword \
    yourpasswordhere youshallnotpass";

/// Separated by blanks: words that make a password guessable when they stand alone, in pairs, or with numbers.
pub(super) const WORDS: &str = "\
    1q2w3e4r 1qaz2wsx aaaa abc123 abcd abcde abcdef access account adidas admin administrator alexander \
    alexis alpha amanda america and andrea andrew angel angela angels anonymous anthony apple april \
    arsenal asdf asdfgh asdfghjkl ashley august austin autumn azerty babygirl backup badboy bailey \
    banana barcelona baseball basketball batman beautiful benjamin berlin bigdog bitch blahblah blink182 \
    boston brandon brasil buster butterfly camaro canada carlos charlie cheese chelsea chicago chicken \
    chocolate chris christian christmas claudia coffee company computer cookie corona corvette cowboys \
    dallas daniel danielle december default demo dennis denver diamond dolphin donald dragon eagles \
    elephant elizabeth eminem england enter family february ferrari flower football for forever france \
    frankfurt freedom friday friend friends fuck fuckme fuckyou gandalf geheim george germany ginger \
    golden golfer google guest guitar hallo hamburg hammer hannah happy harley harry heather heaven \
    hello helloworld hockey hottie hunter iceman iloveyou in internet is jackson jaguar james january \
    jasmine jennifer jessica jesus johnny jonathan jordan joseph joshua julian july june justin killer \
    kitty lakers lauren let letmein liberty liverpool login london love lovely loveme lovers lucky \
    madison maggie manager march maria marina marine market marlboro martin master matrix matthew \
    maverick maxwell me melissa mercedes merlin michael michelle mickey midnight monday money monkey \
    monster morgan mother mustang my naruto nascar natasha nathan new nicholas nicole nintendo nirvana \
    november october office oliver online orange packers panther paris parola pass passport passw0rd \
    passwd password passwort patrick peanut pepper phoenix player please pokemon porsche portugal \
    princess private purple qazwsx qwer qwerty qwertyuiop qwertz rabbit rachel raiders rainbow ranger \
    rangers rebecca richard robert rocket root russia samantha samsung saturday schatz school scooter \
    secret secure security september server service shadow silver slayer snoopy soccer sommer sophie \
    spiderman spring starwars steelers stefan steven summer sunday sunshine super superman superstar \
    support swordfish system taylor temp tennis test tester testing the thomas thunder thursday tiger \
    tigger toor trustno trustno1 tuesday user username vanessa victoria viking virginia wednesday \
    welcome whatever william willkommen windows winner winter wizard yankees yellow you your zaq1 zxcv \
    zxcvbn zxcvbnm";
