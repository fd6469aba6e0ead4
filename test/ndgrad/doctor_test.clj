(ns ndgrad.doctor-test
  (:require
   [clojure.test :refer [deftest is]]
   [ndgrad.core :as nd]))

(set! *warn-on-reflection* true)

(deftest the-report-is-data
  (let [{:keys [version engines threads advice]} (nd/doctor)]
    (is (string? version))
    (is (= (nd/num-threads) threads))
    (is (vector? advice))
    (is (some #(and (= "java" (:name %)) (:available %)) engines))
    (is (= 1 (count (filter :chosen engines))))))
