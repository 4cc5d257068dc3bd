DROP TRIGGER access_reviews_undeleted;
DROP TRIGGER access_reviews_unchanged;
