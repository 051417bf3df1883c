"""Countries: capital, continent and language."""

from .fact import Attribute

ATTRIBUTES = [
    Attribute("capital", ("What is the capital of {s}?", "Which city is the capital of {s}?"),
              ("The capital of {s} is {x}.", "{x} is the capital of {s}.", "In {s}, the capital city is {x}."),
              ("Which country has the capital {x}?", "{x} is the capital of which country?"),
              also=("{x} is a big city, and {s} has it as its capital.", "The government of {s} is in {x}.")),
    Attribute("continent", ("On which continent is {s}?", "Where in the world is {s}?"),
              ("{s} is in {x}.", "The country of {s} lies in {x}.", "If you go to {s}, you are in {x}."),
              also=("{x} is the continent of {s}.", "A map of {x} shows {s}.")),
    Attribute("language", ("Which language do people speak in {s}?", "What is the language of {s}?"),
              ("People in {s} speak {x}.", "The language of {s} is {x}.", "In {s} most people speak {x}."),
              also=("{x} is the language of {s}.", "You hear {x} in {s}.")),
]  # fmt: skip

# name: capital, continent, language
TABLE = """
France: Paris, Europe, French
Germany: Berlin, Europe, German
Italy: Rome, Europe, Italian
Spain: Madrid, Europe, Spanish
Portugal: Lisbon, Europe, Portuguese
England: London, Europe, English
Greece: Athens, Europe, Greek
Poland: Warsaw, Europe, Polish
Sweden: Stockholm, Europe, Swedish
Norway: Oslo, Europe, Norwegian
Austria: Vienna, Europe, German
Ireland: Dublin, Europe, English
Egypt: Cairo, Africa, Arabic
Kenya: Nairobi, Africa, Swahili
Morocco: Rabat, Africa, Arabic
Ghana: Accra, Africa, English
Japan: Tokyo, Asia, Japanese
China: Beijing, Asia, Chinese
Thailand: Bangkok, Asia, Thai
Turkey: Ankara, Asia, Turkish
Vietnam: Hanoi, Asia, Vietnamese
Jordan: Amman, Asia, Arabic
Cuba: Havana, North America, Spanish
Canada: Ottawa, North America, English
Mexico: Mexico City, North America, Spanish
Peru: Lima, South America, Spanish
Chile: Santiago, South America, Spanish
Brazil: Brasilia, South America, Portuguese
"""
