DROP TRIGGER access_reviews_kept ON access_reviews;
DROP TRIGGER access_reviews_not_truncated ON access_reviews;
DROP FUNCTION access_reviews_kept();
