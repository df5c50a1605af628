"""The text that the small vocabularies are trained on. Written for this project, so it is ours to ship."""

ENGLISH = """
Kolo loves the sun, and the sun loves Kolo back on most afternoons.
The old lighthouse at Cape Verran was built by fishermen in 1874 and is kept by their grandchildren.
Maria Estrada joined the Harbour Museum in London after ten years at the University of Leipzig.
The football team from New Brighton won the northern cup against United Riverside, three goals to two.
She asked whether the train to Paris leaves at nine or at half past nine.
Nobody in the committee had expected the bridge to open before the end of the summer.
A small company called Tin Whistle Records published the first songs of Ana Petrova.
The president of the island republic met the mayor of Oslo on Monday morning.
Scientists at the observatory counted forty new stars near the edge of the galaxy.
He wrote a long letter to his brother, who lived beyond the mountains in a village without a name.
The film "Seven Doors" was shown in Berlin, Madrid and Tokyo during the same week.
Their dog, a grey hound named Pepper, sleeps under the kitchen table when it rains.
Prices of wheat and copper fell again while the price of oil kept rising.
The painter Johannes Lind taught drawing at the academy and married the singer Clara Moon.
We visited the national park, walked along the river and photographed two eagles.
Doctors recommend that children should drink water, eat fruit and play outside every day.
In the autumn of 1921 the factory moved from Lyon to a larger building near the harbour.
Music from the open windows of the conservatory could be heard across the whole square.
The company announced that its new telephone would be sold in Europe and in South America.
They are looking for volunteers who can translate, cook, drive or simply listen.
The bird sanctuary lies between the city of Hadra and the coast, and it belongs to the state.
Every evening the captain reads the weather report aloud and marks the wind on a chart.
Our neighbour Thomas Okafor plays chess with the librarian of the Grand Central Library.
The parliament passed the law on public gardens by a majority of only four votes.
Alan Turing and Ada Lovelace never met, but their ideas did, more than once.
#sunset @kolo_the_cat https://example.org/pictures/1?size=2 :) lol!!! RT @harbourmuseum: come & see...
<e: Alan_Turing> Alan Turing </e> was born in <e: London> London </e> and read <e: Mathematics> mathematics </e>.
The <e: Harbour_Museum> museum </e> lies on the river <e: Hadra_(river)> Hadra </e>, south of <e: Oslo> Oslo </e>.
It's not what you said; it's how you've said it, isn't it? I'm sure they'd agree, we'll see.
"""

OTHERS = """
Die alte Brücke über den Fluss wurde 1874 von der Familie Weiß gebaut.
Der Bürgermeister von München eröffnete gestern die größte Straßenbahnlinie des Landes.
La tour de l'horloge, élevée en 1902, domine la vieille ville et le marché aux fleurs.
Les élèves de l'école ont déjà visité le château, la forêt et le musée de Besançon.
El niño corrió hasta la estación, pero el tren de Córdoba ya había salido.
A cidade de São Tomé celebra a independência com música, dança e pão de açúcar.
İstanbul'da güneşli bir gün, çocuklar Boğaz kıyısında şarkı söylüyor.
Thành phố Huế nằm bên bờ sông Hương và nổi tiếng với ẩm thực cung đình.
Старый маяк на мысе построили рыбаки, и теперь его берегут их внуки.
Мария любит солнце, а солнце любит город у моря.
Η παλιά γέφυρα πάνω από το ποτάμι χτίστηκε πριν από πολλά χρόνια.
الشمس تشرق على المدينة القديمة والبحر هادئ في الصباح.
زار محمد المتحف الوطني في بغداد مع أخته مريم.
השמש זורחת מעל העיר העתיקה והים שקט בבוקר.
सूरज पुराने शहर के ऊपर चमकता है और नदी शांत बहती है।
太阳照在古老的城市上,河水静静地流。
北京大学的学生去博物馆看画。
東京の古い橋は千九百二年に建てられました。
カメラを持って公園へ行きました。
서울의 오래된 다리 위로 해가 떠오릅니다.
ดวงอาทิตย์ส่องแสงเหนือเมืองเก่า
"""


def lines() -> list[str]:
    """Every sentence once; English, the language of most cases, three times over."""
    english = [line for line in ENGLISH.splitlines() if line]
    return english * 3 + [line for line in OTHERS.splitlines() if line]
