-- +goose Up

-- What is searched is split into words as shop.ProductQuery.Words splits what is asked: at each sign, of
-- which PostgreSQL's parser would keep some (3.5, salt/pepper) and drop others (C++, C#). Each word is
-- there twice, stemmed and as it is: a search for nothing but "the" has to find it, though English drops it.
CREATE FUNCTION search_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT strip(to_tsvector('english'::regconfig, words) || to_tsvector('simple'::regconfig, words))
	FROM (SELECT translate(
		regexp_replace(regexp_replace($1, '([0-9A-Za-z])\+\+', '\1plusplus', 'g'), '([0-9A-Za-z])#', '\1sharp', 'g'),
		'!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)) AS words) AS split
);

ALTER TABLE products DROP COLUMN search; -- and its index
ALTER TABLE products ADD COLUMN search tsvector NOT NULL
	GENERATED ALWAYS AS (search_words(name || ' ' || category || ' ' || description)) STORED;
CREATE INDEX products_search ON products USING gin (search);

-- +goose Down
ALTER TABLE products DROP COLUMN search;
ALTER TABLE products ADD COLUMN search tsvector NOT NULL
	GENERATED ALWAYS AS (to_tsvector('english', name || ' ' || category || ' ' || description)) STORED;
CREATE INDEX products_search ON products USING gin (search);
DROP FUNCTION search_words(text);
